"""The result protocol: what counts, what is shown, and what is wrong with what does not."""

from __future__ import annotations

import contextlib
import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_armada.jobs.python import runner
from airflow_armada.jobs.results import (
    ResultCollector,
    ResultError,
    ResultMalformed,
    ResultMissing,
    ResultTooLarge,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def read(*lines: str, limit: int = 65_536) -> tuple[ResultCollector, list[str]]:
    collector = ResultCollector(limit)
    shown = [text for line in lines if (text := collector.feed(line)) is not None]
    return collector, shown


@pytest.mark.parametrize(
    ("lines", "value", "shown"),
    [
        (['::armada-result::{"rows": 3}'], {"rows": 3}, []),
        (["::armada-result:: 7 "], 7, []),
        (["::armada-result::null"], None, []),
        (["before", '::armada-result::"x"', "after"], "x", ["before", "after"]),
        (["::armada-result::1", "::armada-result::2"], 2, []),
        (["no end of line::armada-result::3"], 3, ["no end of line"]),
        (["+ echo '::armada-result::4'", "::armada-result::4"], 4, ["+ echo '::armada-result::4'"]),
        (["::armada-result:1/2::[1,", "between", "::armada-result:2/2:: 2]"], [1, 2], ["between"]),
        (["::armada-result:2/2::2]", "::armada-result:1/2::[1,", "::armada-result:2/2::2]"], [1, 2], []),
        (["::armada-result:1/3::x", "::armada-result::5"], 5, []),
        (["::armada-result::{", "::armada-result::6"], 6, []),
        (["::armada-result:0/0::", "::armada-result::6"], 6, ["::armada-result:0/0::"]),
        (["::armada-results::1", "::armada-result::6"], 6, ["::armada-results::1"]),
    ],
)
def test_the_last_complete_value_counts(lines: list[str], value: Any, shown: list[str]) -> None:
    collector, seen = read(*lines)
    assert collector.value() == value
    assert seen == shown


@pytest.mark.parametrize(
    ("lines", "kind", "message"),
    [
        ([], ResultMissing, "the job printed no result; it must print a line ::armada-result::<JSON value>"),
        (["::armada-result::{"], ResultMalformed, "is not JSON"),
        (["::armada-result::"], ResultMalformed, "is not JSON"),
        (["::armada-result::NaN"], ResultMalformed, "NaN is not a JSON number"),
        (["::armada-result:1/3::1", "::armada-result:3/3::1"], ResultMalformed, "parts 1, 3 of a result in 3 parts"),
        (["::armada-result::" + "1" * 101], ResultTooLarge, "larger than 100 bytes; write it to storage"),
        (["::armada-result:1/2::" + "1" * 90, "::armada-result:2/2::" + "1" * 90], ResultTooLarge, "larger than 100"),
        (["::armada-result::" + '"ä"' * 40], ResultTooLarge, "larger than 100 bytes"),
    ],
)
def test_what_is_wrong_is_typed(lines: list[str], kind: type[ResultError], message: str) -> None:
    collector, _ = read(*lines, limit=100)
    with pytest.raises(kind, match=message):
        collector.value()


@settings(deadline=None)
@given(JSON)
def test_what_the_runner_prints_is_read(value: Any) -> None:
    lines = printed(runner.RESULT, json.dumps(value, allow_nan=False))
    collector, shown = read(*lines)
    assert (collector.value(), shown) == (value, [])


def test_long_values_come_in_parts_that_no_log_splits() -> None:
    value = ["ü" * 20_000]
    lines = printed(runner.RESULT, json.dumps(value))
    assert max(map(len, lines)) < 8192
    assert read(*lines, limit=200_000)[0].value() == value


@given(st.integers(0, 20), st.lists(st.text()))
def test_reading_goes_on_where_another_process_stopped(stop: int, value: list[str]) -> None:
    lines = ["begin", *printed(runner.RESULT, json.dumps([*value, "x" * 9000])), "end"]
    first, _ = read(*lines[:stop])
    second = ResultCollector.from_dict(json.loads(json.dumps(first.to_dict())) | {"newer": 1})
    for line in lines[stop:]:
        second.feed(line)
    assert second.value() == [*value, "x" * 9000]


@given(st.lists(st.text() | st.text("::armada-result1/2{}\"'")))
def test_no_text_disturbs_the_reader(lines: list[str]) -> None:
    collector, _ = read(*lines)
    collector.remote_error()
    with contextlib.suppress(ResultError):
        collector.value()


def test_an_exception_is_told() -> None:
    collector, shown = read('::armada-error::{"type": "KeyError", "message": "a", "traceback": "t"}')
    error = collector.remote_error()
    assert error is not None
    assert (error.type, error.message, error.traceback, shown) == ("KeyError", "a", "t", [])


@pytest.mark.parametrize("text", ["", "[]", "{", '{"type": 1}', "1"])
def test_an_exception_that_cannot_be_read_is_none(text: str) -> None:
    assert read(f"::armada-error::{text}")[0].remote_error() is None


def printed(marker: str, text: str) -> list[str]:
    """What the runner writes to its standard output."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        runner.emit(marker, text)
    return out.getvalue().removesuffix("\n").split("\n")
