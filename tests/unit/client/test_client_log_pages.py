"""Pages of a log overlap and may be cut; what comes out is each line once, in order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_armada.api.binoculars_pb2 import LogLine
from airflow_armada.client import log_pages
from airflow_armada.client.log_pages import LogPager, time_key

T = "2026-11-22T10:20:30"


def line(timestamp: str, text: str = "x") -> LogLine:
    return LogLine(timestamp=timestamp, line=text.encode())


def test_times_are_compared_as_times_not_as_texts() -> None:
    texts = [
        f"{T}Z",
        f"{T}.000000001Z",
        f"{T}.1Z",
        f"{T}.10000001Z",
        "2026-11-22T12:20:31+02:00",
        "2026-11-22T10:20:32z",
    ]

    assert sorted(texts, key=time_key) == texts
    assert time_key("2026-11-22T12:20:30.5+02:00") == time_key(f"{T}.500Z")


@pytest.mark.parametrize("text", ["", "now", "2026-11-22", T, "2026-13-22T10:20:30Z", "2026-11-22T10:20:30.Z"])
def test_a_time_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - either of ours or of datetime
        time_key(text)


def test_a_short_page_is_the_end() -> None:
    pager = LogPager()

    new = pager.take([line(f"{T}.1Z", "a"), line(f"{T}.2Z", "b")])

    assert [one.line for one in new] == [b"a", b"b"]
    assert pager.finished


def test_only_lines_after_the_given_time_are_new() -> None:
    pager = LogPager(f"{T}.2Z")

    new = pager.take([line(f"{T}.1Z", "a"), line(f"{T}.2Z", "b"), line(f"{T}.3Z", "c")])

    assert [one.line for one in new] == [b"c"]


def read_all(log: list[LogLine], since: str, page_bytes: int) -> list[LogLine]:
    """Read a log from a service that behaves as Binoculars does, with smaller pages."""
    pager = LogPager(since)
    out: list[LogLine] = []
    for _ in range(10 * len(log) + 10):
        if pager.finished:
            return out
        second = time_key(pager.since_time)[0] if pager.since_time else 0
        out += pager.take(cut([one for one in log if time_key(one.timestamp)[0] >= second], page_bytes))
    raise AssertionError("the pager does not come to an end")


def cut(log: list[LogLine], page_bytes: int) -> list[LogLine]:
    page: list[LogLine] = []
    left = page_bytes
    for one in log:
        size = len(one.timestamp) + len(one.line) + 2
        if size > left:
            room = left - len(one.timestamp) - 2
            return [*page, LogLine(timestamp=one.timestamp, line=one.line[:room])] if room > 0 else page
        page.append(one)
        left -= size
    return page


LOGS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 2), st.binary(max_size=8)), max_size=60).map(
    lambda entries: [
        LogLine(timestamp=f"2026-11-22T10:20:{second:02}.{fraction}Z", line=text)
        for second, fraction, text in sorted(entries, key=lambda entry: entry[:2])
    ]
)


@given(LOGS)
def test_a_log_of_many_pages_is_read_whole_and_in_order(log: list[LogLine]) -> None:
    page_bytes = max([second_size(log, one) for one in log], default=0) + 120

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_pages, "_FULL", page_bytes - 40)
        assert read_all(log, "", page_bytes) == log


@given(LOGS)
def test_a_second_that_fills_a_page_does_not_stop_the_rest(log: list[LogLine]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_pages, "_FULL", 60)
        read = read_all(log, "", 100)

    assert [time_key(one.timestamp) for one in read] == sorted(time_key(one.timestamp) for one in read)
    assert {time_key(one.timestamp)[0] for one in read} == {time_key(one.timestamp)[0] for one in log}


def second_size(log: list[LogLine], line: LogLine) -> int:
    second = time_key(line.timestamp)[0]
    return sum(len(one.timestamp) + len(one.line) + 2 for one in log if time_key(one.timestamp)[0] == second)
