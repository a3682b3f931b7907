"""
The door for text that somebody else wrote: a job, a server, a file.

PostgreSQL stores neither a NUL in text or JSON nor half of a surrogate pair, and a terminal obeys control characters.
So text from outside passes here before it is stored or shown.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
MAX_TEXT = 8192
"""Characters that are kept of a text unless its user says otherwise."""

_CUT = " … ({} more characters)"
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def storable(text: str, limit: int = MAX_TEXT) -> str:
    """
    Make a text fit for a database and for UTF-8.

    :param text: what came from outside.
    :param limit: characters that are kept.
    :return: the text without NULs and lone surrogates, cut where it is too long.
    """
    return _UNSTORABLE.sub(REPLACEMENT, bounded(text, limit))


def storable_value(value: Any, limit: int = MAX_TEXT) -> Any:
    """
    Make plain data fit for a database.

    :param value: dictionaries, lists, tuples, texts and numbers.
    :param limit: characters that are kept of each text.
    :return: the same with :func:`storable` texts, keys included; tuples become lists, as JSON makes them.
    """
    if isinstance(value, str):
        return storable(value, limit)
    if isinstance(value, Mapping):
        return {storable_value(key, limit): storable_value(one, limit) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [storable_value(one, limit) for one in value]
    return value


def printable(value: object, limit: int = MAX_TEXT) -> str:
    """
    Make something fit for a terminal and for a line of a log.

    :param value: what came from outside; shown as ``str`` gives it.
    :param limit: characters that are kept.
    :return: one line without control characters, which could play tricks on a terminal.
    """
    return "".join(char if _is_shown(char) else REPLACEMENT for char in bounded(str(value), limit))


def one_line(text: object, limit: int = 300) -> str:
    """
    Make something fit into a sentence of ours.

    :param text: what came from outside; shown as ``str`` gives it.
    :param limit: characters that are kept.
    :return: :func:`printable` text in which all space is a single blank.
    """
    return printable(" ".join(str(text).split()), limit)


def bounded(text: str, limit: int) -> str:
    """
    Cut a text that is too long, and say so.

    :param text: any text.
    :param limit: characters that are kept.
    :return: the text, or its beginning and how much is missing.
    """
    return text if len(text) <= limit else text[:limit] + _CUT.format(len(text) - limit)


def _is_shown(char: str) -> bool:
    return char == "\t" or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp")
