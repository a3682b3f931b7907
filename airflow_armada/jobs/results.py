"""How a job returns a value: one line on its log that any language can print.

The line is ``::armada-result::`` followed by a JSON value, for instance ``echo '::armada-result::{"rows": 3}'``. A
value too long for one line may be printed in parts, ``::armada-result:1/3::`` and so on, each followed by its piece of
the JSON text. ``::armada-error::`` is followed by a JSON object with ``type``, ``message`` and ``traceback``. The last
value, or error, is the one that counts. The lines are no part of the log that is shown.

At the beginning of a line the marker always counts. Further right, after text that did not end its line, it counts only
if what follows is complete JSON, so that a shell that traces its commands does not disturb.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

RESULT_MARKER = "::armada-result::"
ERROR_MARKER = "::armada-error::"
MAX_RESULT_BYTES = 65_536
"""Largest JSON text of a result: it travels in a trigger event and an XCom, which are rows of Airflow's database."""

_LINE = re.compile(
    r"::armada-(?P<kind>result|error)(?::(?P<part>[0-9]{1,3})/(?P<of>[0-9]{1,3}))?::(?P<text>.*)", re.DOTALL
)


class ResultError(ValueError):
    """The job's result cannot be used."""


class ResultMissing(ResultError):
    """The job ended well without printing the result that it was asked for."""


class ResultMalformed(ResultError):
    """The job printed a result that is not JSON, or of which parts are missing."""


class ResultTooLarge(ResultError):
    """The job printed a result that is larger than what may travel."""


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
class ResultCollector:
    """Finds the result among the lines of a job's log; pure, so that every reader of the log can use it.

    :param limit: largest JSON text, in bytes of UTF-8
    :param text: JSON text of the result found last, or None
    :param error: JSON text of the error found last, or None
    :param fault: what is wrong with the result found last, or empty
    :param parts: the parts of a result that is not complete yet
    :param expected: the number of those parts
    """

    limit: int = MAX_RESULT_BYTES
    text: str | None = None
    error: str | None = None
    fault: str = ""
    parts: dict[str, str] = field(default_factory=dict)
    expected: int = 0

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> ResultCollector:
        """Go on where another process stopped reading.

        :param state: from :meth:`to_dict`; unknown keys are ignored
        :return: a collector
        """
        return cls(**{key: value for key, value in state.items() if key in cls.__dataclass_fields__})

    def to_dict(self) -> dict[str, Any]:
        """What was found so far.

        :return: builtins, at most a little larger than the limit
        """
        return asdict(self)

    def feed(self, line: str) -> str | None:
        """Look at one line of the log.

        :param line: without its line end, not split and not changed in any way
        :return: what remains to be shown of it; None when nothing does
        """
        for match in _markers(line):
            if match.start() == 0 or match["part"] or _is_json(match["text"]):
                self._take(match)
                return line[: match.start()] or None
        return line

    def value(self) -> Any:
        """The job's result.

        :return: what the JSON text says
        :raises ResultMissing: when there was none
        :raises ResultMalformed: when it is not JSON, or incomplete
        :raises ResultTooLarge: when it is larger than the limit
        """
        if self.fault.startswith("is larger"):
            raise ResultTooLarge(f"the job's result {self.fault}; write it to storage and return where it is")
        if self.parts:
            found = ", ".join(sorted(self.parts, key=int))
            raise ResultMalformed(f"the job printed parts {found} of a result in {self.expected} parts")
        if self.text is None:
            raise ResultMissing(f"the job printed no result; it must print a line {RESULT_MARKER}<JSON value>")
        try:
            return json.loads(self.text, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise ResultMalformed(f"the job's result is not JSON: {error}") from None

    def remote_error(self) -> RemoteError | None:
        """The exception that the job reported.

        :return: the exception; None when there was none, or it cannot be read
        """
        try:
            content = json.loads(self.error or "")
            return RemoteError(str(content["type"]), str(content["message"]), str(content.get("traceback", "")))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None

    def _take(self, match: re.Match[str]) -> None:
        if match["part"]:
            self._take_part(match["kind"], int(match["part"]), int(match["of"]), match["text"])
        else:
            self.parts, self.expected = {}, 0
            self._finish(match["kind"], match["text"])

    def _take_part(self, kind: str, part: int, of: int, text: str) -> None:
        if part == 1 or of != self.expected:
            self.parts, self.expected, self.text, self.fault = {}, of, None, ""
        if sum(map(len, self.parts.values())) + len(text) > self.limit:
            text, self.fault = "", _too_large(self.limit)
        self.parts[str(part)] = text
        if all(str(number) in self.parts for number in range(1, of + 1)):
            whole, fault = "".join(self.parts[str(number)] for number in range(1, of + 1)), self.fault
            self.parts, self.expected = {}, 0
            self._finish(kind, whole)
            self.fault = fault or self.fault

    def _finish(self, kind: str, text: str) -> None:
        too_large = len(text.encode()) > self.limit
        if kind == "error":
            self.error = None if too_large else text.strip()
        else:
            self.text, self.fault = ("", _too_large(self.limit)) if too_large else (text.strip(), "")


def _markers(line: str) -> list[re.Match[str]]:
    """Where a line has the marker, from the left."""
    places = [match.start() for match in re.finditer("::armada-", line)]
    found = [match for place in places if (match := _LINE.match(line, place))]
    return [match for match in found if not match["part"] or 0 < int(match["part"]) <= int(match["of"])]


def _is_json(text: str) -> bool:
    try:
        json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return False
    return True


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _too_large(limit: int) -> str:
    return f"is larger than {limit} bytes"
