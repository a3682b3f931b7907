"""What is wrong with a job, said so that its author can mend it without the documentation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_MAX_VALUE = 80


@dataclass(frozen=True)
class Problem:
    """One thing that must change before the job can be submitted.

    :param path: where it is, as ``podSpec.containers[0].resources.limits``
    :param value: what was found there, as text; empty when it says nothing or may be a secret
    :param rule: what is expected there
    :param suggestion: what to do about it, or empty
    :param of_whole: it depends on the whole job, and may vanish when another part of the job changes
    """

    path: str
    value: str
    rule: str
    suggestion: str = ""
    of_whole: bool = False

    def __str__(self) -> str:
        text = f"{self.path}: {self.rule}"
        if self.value:
            text += f", got {shorten(self.value)}"
        return f"{text}; {self.suggestion}" if self.suggestion else text


class InvalidJob(ValueError):
    """The job cannot be submitted as it stands; the message lists everything that is wrong with it.

    :param problems: at least one problem
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(_summary(self.problems))

    def __reduce__(self) -> tuple[type[InvalidJob], tuple[tuple[Problem, ...]]]:
        return type(self), (self.problems,)


def raise_if_any(problems: Sequence[Problem]) -> None:
    """Raise what has been collected.

    :param problems: what was found, possibly nothing
    :raises InvalidJob: when there is a problem
    """
    if problems:
        raise InvalidJob(problems)


def shorten(text: str) -> str:
    """Text cut to a length that leaves an error message readable.

    :param text: any text
    :return: the text, at most 80 characters of it
    """
    return text if len(text) <= _MAX_VALUE else f"{text[: _MAX_VALUE - 3]}..."


def _summary(problems: tuple[Problem, ...]) -> str:
    if len(problems) == 1:
        return f"invalid job: {problems[0]}"
    return "\n  - ".join([f"invalid job, {len(problems)} problems:", *map(str, problems)])
