"""The syntax of image names, which a node refuses to pull in any other spelling.

Source: the grammar of ``distribution/reference``.
"""

from __future__ import annotations

import re

_HOST_PART = r"[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?"
_HOST = rf"(?:{_HOST_PART}(?:\.{_HOST_PART})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
_PATH_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_ALGORITHM = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*"
_IMAGE = re.compile(
    rf"(?P<name>(?:{_HOST}/)?{_PATH_PART}(?:/{_PATH_PART})*)"
    rf"(?::[A-Za-z0-9_][-.A-Za-z0-9_]{{0,127}})?(?:@{_ALGORITHM}:[0-9a-fA-F]{{32,}})?"
)
_MOST = 255
_ID = re.compile(r"[a-f0-9]{64}")


def is_image_name(text: str) -> bool:
    """Return whether a text can name an image: host, path in lower case, tag and digest, all but the path optional."""
    match = _IMAGE.fullmatch(text)
    return match is not None and len(match["name"]) <= _MOST and not _ID.fullmatch(match["name"])
