"""How tables and lines fit a terminal."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_armada.cli.output import Output, age, fitted, width


@given(st.text(st.characters(exclude_categories=("Cc", "Cf", "Cs"))), st.integers(1, 200))
def test_a_line_fits_its_columns(text: str, columns: int) -> None:
    assert width(fitted(text, columns)) <= columns


def test_wide_characters_take_two_columns() -> None:
    stream = io.StringIO()
    Output(stream=stream).table(("NAME", "STATE"), [("日本", "on"), ("abcd", "off")])

    assert stream.getvalue().splitlines() == ["NAME  STATE", "日本  on", "abcd  off"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0s"), (0, "0s"), (119, "119s"), (120, "2m"), (7200, "2h"), (90_000, "25h"), (172_800, "2d")],
)
def test_an_age_has_one_unit(seconds: float, text: str) -> None:
    assert age(seconds) == text


def test_what_others_wrote_plays_no_tricks() -> None:
    stream = io.StringIO()
    Output(stream=stream).table(("A",), [("\x1b[2Jgone",)])
    Output(as_json=True, stream=stream).value({"text": "\ud800\0"})

    assert "\x1b" not in stream.getvalue()
    stream.getvalue().encode()
