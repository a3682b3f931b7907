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
from airflow_armada.jobs.result_value import (
    MAX_DEPTH,
    ResultError,
    ResultMalformed,
    ResultMissing,
    ResultNotCarried,
    ResultTooLarge,
    read_value,
)
from airflow_armada.jobs.results import ResultCollector

NONCE = "0123456789abcdef"
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=10,
)


def read(*lines: str | bytes, limit: int = 65_536, container: str = "base") -> tuple[ResultCollector, list[str]]:
    """What a collector finds, and what it leaves to be shown."""
    collector = ResultCollector("base", NONCE, limit)
    raw = [line.encode() if isinstance(line, str) else line for line in lines]
    shown = [one.decode(errors="replace") for line in raw for one in collector.feed(container, line)]
    return collector, shown


@pytest.mark.parametrize(
    ("lines", "value", "shown"),
    [
        (['::armada-result::{"rows": 3}'], {"rows": 3}, []),
        (["::armada-result:: 7 "], 7, []),
        (["::armada-result::null"], None, []),
        (["before", '::armada-result::"x"', "after"], "x", ["before", "after"]),
        (["::armada-result::1", "::armada-result::2"], 2, []),
        (["::armada-result::1", "within::armada-result::3"], 1, ["within::armada-result::3"]),
        (["::armada-result::1", "within::armada-result:1/1::3"], 1, ["within::armada-result:1/1::3"]),
        (["+ echo '::armada-result::4'", "::armada-result::4"], 4, ["+ echo '::armada-result::4'"]),
        (["::armada-result:1/2::[1,", "between", "::armada-result:2/2:: 2]"], [1, 2], ["between"]),
        (['::armada-result:1/2::"a\r', '::armada-result:2/2::b"\r'], "ab", []),
        (['::armada-result::"::group::x"'], "::group::x", []),
        (["::armada-result:2/2::2]", "::armada-result:1/2::[1,", "::armada-result:2/2::2]"], [1, 2], []),
        (["::armada-result:1/3::x", "::armada-result::5"], 5, []),
        (["::armada-result:1/2::x", "::armada-error::{}", "::armada-result::5"], 5, []),
        (["::armada-result::{", "::armada-result::6"], 6, []),
        (["::armada-result:0/0::", "::armada-result::6"], 6, ["::armada-result:0/0::"]),
        (["::armada-results::1", "::armada-result::6"], 6, ["::armada-results::1"]),
        (["a", "", "::armada-result::6", "", "", "b"], 6, ["a", "", "", "b"]),
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
        (["x::armada-result::1"], ResultMissing, "it printed one where it does not count: within a line"),
        (["::armada-result::{"], ResultMalformed, "is not JSON"),
        (["::armada-result::"], ResultMalformed, "is not JSON"),
        (["::armada-result::NaN"], ResultMalformed, "NaN is not a JSON number"),
        ([b'::armada-result::"caf\xe9"'], ResultMalformed, "is not JSON: it must be UTF-8, without NULs"),
        ([b'::armada-result::"\0"'], ResultMalformed, "is not JSON: it must be UTF-8, without NULs"),
        ([b'::armada-result:1/2::"\xe9', b'::armada-result:2/2::"'], ResultMalformed, "must be UTF-8"),
        (["::armada-result:1/3::1", "::armada-result:3/3::1"], ResultMalformed, "parts 1, 3 of a result in 3 parts"),
        (["::armada-result::" + "1" * 101], ResultTooLarge, "larger than 100 bytes; write it to storage"),
        (["::armada-result:1/2::" + "1" * 90, "::armada-result:2/2::" + "1" * 90], ResultTooLarge, "larger than 100"),
        (["::armada-result::" + '"ä"' * 40], ResultTooLarge, "larger than 100 bytes"),
    ],
)
def test_what_is_wrong_is_typed(lines: list[str | bytes], kind: type[ResultError], message: str) -> None:
    collector, _ = read(*lines, limit=100)
    with pytest.raises(kind, match=message):
        collector.value()


def nested(levels: int) -> str:
    return "[" * levels + "]" * levels


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": [1, 18446744073709551616]}', r"at \['a'\]\[1\]: a whole number must be from -2\*\*63 to 2\*\*64-1"),
        ("-9223372036854775809", "by Airflow: a whole number must be from"),
        ("[1e999]", r"at \[0\]: a number must be finite"),
        (r'{"t": "\ud800"}', r"at \['t'\]: text must not hold half of a surrogate pair"),
        (r'{"\udfff": 1}', r"at \['\\udfff'\]: text must not hold half of a surrogate pair"),
        (r'["\u0000"]', r"at \[0\]: text must not hold a NUL"),
        (nested(MAX_DEPTH + 1), "by Airflow: at most 100 levels"),
        (nested(30_000), "by Airflow: at most 100 levels"),
        ('[{"__classname__": 1}]', r"at \[0\]: Airflow keeps the key __classname__ to itself; rename it"),
        ('{"__id__": 1}', "by Airflow: Airflow keeps the key __id__ to itself"),
        ('{"__type": "x", "__var": 1}', "the key __type with __var to itself"),
    ],
)
def test_what_airflow_cannot_carry_is_refused_with_its_place_and_the_rule(text: str, message: str) -> None:
    with pytest.raises(ResultNotCarried, match=message):
        read("::armada-result::" + text)[0].value()


@given(JSON)
def test_what_passes_comes_out_of_airflows_serialisation_as_it_was(value: Any) -> None:
    from airflow.sdk.serde import deserialize, serialize

    with contextlib.suppress(ResultNotCarried):
        passed = read_value(json.dumps(value))
        assert deserialize(json.loads(json.dumps(serialize(passed)))) == value


def test_nesting_up_to_the_bound_passes() -> None:
    assert read_value(nested(MAX_DEPTH)) is not None


def test_only_the_main_containers_markers_count() -> None:
    collector, shown = read("::armada-result::1", container="sidecar")
    assert shown == ["::armada-result::1"]
    with pytest.raises(ResultMissing, match="in another container's log"):
        collector.value()
    assert read("::armada-result::1", container="")[0].value() == 1, "the pod's only container has no name in its log"


def test_once_a_marker_carried_the_nonce_the_others_count_no_more() -> None:
    other = "::armada-result:fedcba9876543210::3"
    collector, shown = read("::armada-result::1", f"::armada-result:{NONCE}::2", "::armada-result::4", other)
    assert (collector.value(), shown) == (2, ["::armada-result::4", other])
    collector, _ = read(f"::armada-result:{NONCE}:1/2::[", f"::armada-result:{NONCE}:2/2::]")
    assert collector.value() == []


def test_a_job_may_ask_to_be_skipped() -> None:
    collector, shown = read("::armada-result::1", "::armada-skip::nothing to do\0")
    assert (collector.found.skip, shown) == ("nothing to do�", [])
    collector, _ = read("::armada-skip::nothing to do", "::armada-result::1")
    assert (collector.found.skip, collector.value()) == (None, 1)


@settings(deadline=None)
@given(JSON)
def test_what_the_runner_prints_is_read(value: Any) -> None:
    lines = printed(runner.RESULT, json.dumps(value, allow_nan=False))
    collector, shown = read(*lines)
    assert shown == []
    assert json.loads(collector.found.text or "") == value


def test_a_line_that_the_function_did_not_end_hides_no_result() -> None:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        print("working...", end="")
        runner.emit(runner.RESULT, "1", NONCE)
    collector, shown = read(*out.getvalue().splitlines())
    assert (collector.value(), shown) == (1, ["working..."])


def test_long_values_come_in_parts_that_no_log_splits() -> None:
    value = ["ü" * 20_000]
    lines = printed(runner.RESULT, json.dumps(value))
    assert max(map(len, lines)) < 8192
    assert read(*lines, limit=200_000)[0].value() == value


@given(st.integers(0, 20), st.lists(TEXT))
def test_reading_goes_on_where_another_process_stopped(stop: int, value: list[str]) -> None:
    lines = ["begin", *printed(runner.RESULT, json.dumps([*value, "x" * 9000])), "end"]
    first, _ = read(*lines[:stop])
    second = ResultCollector("base", NONCE)
    second.go_on(json.loads(json.dumps(first.to_dict())) | {"newer": 1})
    for line in lines[stop:]:
        second.feed("base", line.encode())
    assert second.value() == [*value, "x" * 9000]


MARKED = st.text("::armada-resultskipor1/2{}\"'\r\0é").map(str.encode)


@given(st.lists(st.binary() | MARKED | MARKED.map(lambda text: b"::armada-result:" + text)))
def test_fuzz_results(lines: list[bytes]) -> None:
    """Nothing that a job prints does more than set the result; what is kept goes into any database."""
    collector, _ = read(*lines)
    collector.remote_error()
    with contextlib.suppress(ResultError):
        collector.value()
    kept = json.dumps(collector.to_dict(), ensure_ascii=False)
    assert "\\u0000" not in kept
    assert kept.encode().decode() == kept


class Counting(bytes):
    """A line that counts how often it is looked at from somewhere to its end."""

    slices = 0

    def __getitem__(self, key: Any) -> Any:
        Counting.slices += 1
        return super().__getitem__(key)


def test_a_line_is_read_once_however_many_markers_it_holds() -> None:
    collector = ResultCollector("base")
    line = Counting(b"x" + b"::armada-result::x" * 100_000)
    assert collector.feed("base", line) == [line]
    collector.feed("base", Counting(b"::armada-result::x" * 100_000))
    assert Counting.slices == 1


def test_what_is_kept_is_bounded_however_much_is_printed() -> None:
    collector = ResultCollector("base", limit=1000)
    for number in range(1, 1000):
        collector.feed("base", b"::armada-result:%d/999::" % number + b"x" * 999)
    assert len(json.dumps(collector.to_dict())) < 20_000


def test_an_exception_is_told() -> None:
    collector, shown = read('::armada-error::{"type": "KeyError", "message": "a", "traceback": "t"}')
    error = collector.remote_error()
    assert error is not None
    assert (error.type, error.message, error.traceback, shown) == ("KeyError", "a", "t", [])


def test_an_exception_may_say_anything() -> None:
    error = read(r'::armada-error::{"type": "\ud800", "message": "\u0000", "traceback": "\udc00"}')[0].remote_error()
    assert error is not None
    assert (error.type, error.message, error.traceback) == ("�", "�", "�")


@pytest.mark.parametrize("text", ["", "[]", "{", '{"type": 1}', "1", "[" * 50_000])
def test_an_exception_that_cannot_be_read_is_none(text: str) -> None:
    assert read(f"::armada-error::{text}")[0].remote_error() is None


def printed(marker: str, text: str) -> list[str]:
    """What the runner writes to its standard output."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        runner.emit(marker, text)
    return out.getvalue().removesuffix("\n").split("\n")
