"""What of a function's failure stands where."""

from __future__ import annotations

import traceback

import pytest

from airflow_armada.wait.result import without_traceback


def _traceback(text: str) -> str:
    try:
        raise LookupError(text)
    except LookupError:
        return traceback.format_exc()


@pytest.mark.parametrize("text", ["nothing there", "x" * 1000], ids=["short", "long"])
def test_the_last_lines_do_not_repeat_the_traceback(text: str) -> None:
    told = _traceback(text)
    shown = ["loading", *(line[:300] for line in told.splitlines())]

    assert without_traceback(shown, told) == ["loading"]
    assert without_traceback(shown[2:], told) == []


def test_without_a_traceback_all_of_them_stay() -> None:
    assert without_traceback(["one", "", "two"], "") == ["one", "", "two"]
