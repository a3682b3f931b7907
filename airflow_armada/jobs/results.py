"""How a job returns a value: one line on its log that any language can print.

The line begins with ``::armada-result::``, followed by a JSON value, for instance
``echo '::armada-result::{"rows": 3}'``. A value too long for one line may be printed in parts,
``::armada-result:1/3::`` and so on, each followed by its piece of the JSON text. ``::armada-error::`` is followed by a
JSON object with ``type``, ``message`` and ``traceback``, and ``::armada-skip::`` by a reason in plain text: the task is
skipped if its job succeeds. The last of them counts. The lines are no part of the log that is shown.

A marker counts at the beginning of a line only, and in the log of the main container only. It may carry the nonce that
the job finds in :data:`NONCE_VARIABLE`, as ``::armada-result:<nonce>::`` or ``::armada-result:<nonce>:1/3::``. As soon
as one does, those without it count no more, so that nothing which merely passes through the log can set the result.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from airflow_armada.client.foreign_text import storable
from airflow_armada.jobs.result_value import ResultMalformed, ResultMissing, ResultTooLarge, read_value

RESULT_MARKER = "::armada-result::"
NONCE_VARIABLE = "AIRFLOW_ARMADA_RESULT_NONCE"
MAX_RESULT_BYTES = 65_536
"""Largest JSON text of a result: it travels in a trigger event and an XCom, which are rows of Airflow's database."""

_MARKER = re.compile(
    rb"::armada-(?P<kind>result|error|skip)(?::(?P<nonce>[0-9a-f]{16}))?(?::(?P<part>[0-9]{1,3})/(?P<of>[0-9]{1,3}))?::"
)
_MAX_NAME = 200  # characters


@dataclass(frozen=True)
class RemoteError:
    """An exception that ended the job's program.

    :param type: name of its class
    :param message: its text
    :param traceback: where it was raised, as text
    """

    type: str
    message: str
    traceback: str = ""


@dataclass
class Found:
    """What was found so far, as an event carries it.

    :param text: JSON text of the result, or None
    :param error: JSON text of the error, or None
    :param skip: why the task shall be skipped, or None
    :param fault: what is wrong with the result, or empty
    :param too_large: whether the fault is its size
    :param parts: by number, the parts of what is not complete yet
    :param expected: how many there are, and of what: ``3 result``, or empty
    :param size: bytes of the parts
    :param signed: whether a marker with the nonce has been seen
    :param misplaced: whether a marker has been seen where it does not count
    """

    text: str | None = None
    error: str | None = None
    skip: str | None = None
    fault: str = ""
    too_large: bool = False
    parts: dict[str, str] = field(default_factory=dict)
    expected: str = ""
    size: int = 0
    signed: bool = False
    misplaced: bool = False


@dataclass
class ResultCollector:
    """Finds the result among the lines of a job's log; pure, so that every reader of the log can use it.

    Its work is linear in what is printed, and what it keeps is bounded.

    :param container: name of the container whose markers count; empty for any
    :param nonce: what a marker may carry; empty where there is none
    :param limit: largest JSON text, in bytes of UTF-8
    :param found: what was found so far
    """

    container: str = ""
    nonce: str = ""
    limit: int = MAX_RESULT_BYTES
    found: Found = field(default_factory=Found)
    _blank: bool = field(default=False, init=False)

    def go_on(self, state: Mapping[str, Any]) -> None:
        """Go on where another process stopped reading.

        :param state: from :meth:`to_dict`; unknown keys are ignored
        """
        names = {one.name for one in fields(Found)}
        self.found = Found(**{key: value for key, value in state.items() if key in names})

    def to_dict(self) -> dict[str, Any]:
        """What was found so far.

        :return: builtins, at most a little larger than the limit
        """
        return asdict(self.found)

    def feed(self, container: str, line: bytes) -> list[bytes]:
        """Look at one line of the log.

        An empty line before a marker is not shown: whoever prints a marker may end with it a line that others began.

        :param container: name of the container that printed it; empty where the pod has only one
        :param line: as it was printed, without its line end
        :return: what is to be shown of what was printed so far
        """
        counts = not container or not self.container or container == self.container
        match = _MARKER.match(line) if counts else None
        if match is not None and self._take(match, line):
            self._blank = False
            return []
        self.found.misplaced = self.found.misplaced or b"::armada-result:" in line
        if not counts:
            return [line]
        waited, self._blank = self._blank, line in (b"", b"\r")
        return [b""] * waited + [line] * (not self._blank)

    def value(self) -> Any:
        """The job's result.

        :return: what the JSON text says
        :raises ResultMissing: when there was none
        :raises ResultMalformed: when it is not JSON, or incomplete
        :raises ResultTooLarge: when it is larger than the limit
        :raises ResultNotCarried: when Airflow cannot hand it on
        """
        found = self.found
        if found.fault:
            raise (ResultTooLarge if found.too_large else ResultMalformed)(f"the job's result {found.fault}")
        if found.parts and found.expected.endswith("result"):
            numbers = ", ".join(sorted(found.parts, key=int))
            raise ResultMalformed(f"the job printed parts {numbers} of a result in {found.expected.split()[0]} parts")
        if found.text is None:
            hint = "; it printed one where it does not count: within a line, or in another container's log"
            raise ResultMissing(
                f"the job printed no result; it must print a line {RESULT_MARKER}<JSON value>{hint * found.misplaced}"
            )
        return read_value(found.text)

    def remote_error(self) -> RemoteError | None:
        """The exception that the job reported.

        :return: the exception; None when there was none, or it cannot be read
        """
        try:
            content = json.loads(self.found.error or "")
            texts = [str(content["type"]), str(content["message"]), str(content.get("traceback", ""))]
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None
        return RemoteError(storable(texts[0], _MAX_NAME), storable(texts[1]), storable(texts[2]))

    def _take(self, match: re.Match[bytes], line: bytes) -> bool:
        """Take what follows a marker, if that marker counts."""
        kind, part, of = match["kind"].decode(), int(match["part"] or 0), int(match["of"] or 0)
        nonce = (match["nonce"] or b"").decode()
        if (match["part"] and not 0 < part <= of) or (part and kind == "skip"):
            return False
        if nonce != self.nonce if nonce else self.found.signed:
            return False
        if nonce and not self.found.signed:
            self.found = Found(signed=True)
        text = line[match.end() :].removesuffix(b"\r")
        if part:
            self._take_part(kind, part, of, text)
        else:
            self._drop_parts()
            self._clear(kind)
            self._keep(kind, self._text(kind, text, len(text)))
        return True

    def _take_part(self, kind: str, part: int, of: int, raw: bytes) -> None:
        found, expected = self.found, f"{of} {kind}"
        if part == 1 or expected != found.expected:
            self._drop_parts()
            found.expected = expected
            self._clear(kind)
        found.size += len(raw)
        if found.size > self.limit or b"\0" in raw:
            self._text(kind, raw, found.size)  # notes why
            raw = b""
        found.parts[str(part)] = raw.decode("latin-1")  # a part may end within a character
        if len(found.parts) == of:
            whole = "".join(found.parts[str(number)] for number in range(1, of + 1)).encode("latin-1")
            self._drop_parts()
            self._keep(kind, self._text(kind, whole, len(whole)))

    def _drop_parts(self) -> None:
        self.found.parts, self.found.expected, self.found.size = {}, "", 0

    def _text(self, kind: str, raw: bytes, size: int) -> str:
        """Give bytes as text, or nothing where a result cannot be used; errors and reasons are for people to read."""
        if size > self.limit:
            self._refuse(kind, f"is larger than {self.limit} bytes; write it to storage and return where it is", True)
            return ""
        text = raw.decode(errors="replace")
        if kind == "result" and (b"\0" in raw or text.encode() != raw):
            self._refuse(kind, "is not JSON: it must be UTF-8, without NULs")
            return ""
        return storable(text, self.limit)

    def _refuse(self, kind: str, fault: str, too_large: bool = False) -> None:
        if kind == "result":
            self.found.fault, self.found.too_large = fault, too_large

    def _keep(self, kind: str, text: str) -> None:
        text = text.strip()
        if kind == "error":
            self.found.error = text
        elif kind == "skip":
            self.found.skip = storable(text)
        elif not self.found.fault:
            self.found.text = text

    def _clear(self, kind: str) -> None:
        if kind == "error":
            self.found.error = None
        else:
            self.found.text, self.found.skip, self.found.fault, self.found.too_large = None, None, "", False
