"""Pages of a log overlap and may be cut; what comes out is each line once, in order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_armada.api.binoculars_pb2 import LogLine
from airflow_armada.client import log_cursor
from airflow_armada.client.log_client import LogPager
from airflow_armada.client.log_cursor import Line
from airflow_armada.client.timestamps import nanoseconds

T = "2026-11-22T10:20:30"


def line(timestamp: str, text: str = "x") -> LogLine:
    return LogLine(timestamp=timestamp, line=text.encode())


@pytest.mark.parametrize("text", ["now", "2026-11-22", T, "2026-13-22T10:20:30Z", "2026-11-22T10:20:30.Z", "9" * 400])
def test_a_time_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an RFC 3339 time"):
        LogPager(text)


def test_a_short_page_is_the_end() -> None:
    pager = LogPager()

    new = pager.take([line(f"{T}.1Z", "a"), line(f"{T}.2Z", "b")])

    assert [one.line for one in new] == [b"a", b"b"]
    assert pager.finished


def test_only_lines_after_the_given_time_are_new() -> None:
    pager = LogPager(f"{T}.2Z")

    new = pager.take([line(f"{T}.1Z", "a"), line(f"{T}.2Z", "b"), line(f"{T}.3Z", "c")])

    assert [one.line for one in new] == [b"c"]


def second_of(timestamp: str) -> int:
    return nanoseconds(timestamp) // 1_000_000_000


def read_all(log: list[LogLine], since: str, page_bytes: int) -> list[Line]:
    """Read a log from a service that behaves as Binoculars does, with smaller pages."""
    pager = LogPager(since)
    out: list[Line] = []
    for _ in range(10 * len(log) + 10):
        if pager.finished:
            return out
        second = second_of(pager.since_time)
        out += pager.take(cut([one for one in log if second_of(one.timestamp) >= second], page_bytes))
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
        patch.setattr(log_cursor, "_FULL", page_bytes - 40)
        assert read_all(log, "", page_bytes) == [Line(one.timestamp, one.line) for one in log]


@pytest.mark.parametrize("divided_at", range(5))
def test_lines_of_two_streams_whose_times_go_back_are_read_once_each_wherever_two_reads_divide(divided_at: int) -> None:
    times = [".3Z", ".1Z", ".4Z", ".2Z"]
    log = [line(T + time, text) for time, text in zip(times, "abcd", strict=True)]
    pager = LogPager()

    read = [*pager.take(log[:divided_at]), *pager.take(log)]

    assert b"".join(one.line for one in read) == b"abcd"


def test_a_page_full_of_the_last_second_of_all_ends_the_log() -> None:
    pager = LogPager("9999-12-31T23:59:58Z")
    full = [line("9999-12-31T23:59:59Z", "x" * 2_000_000)]

    assert [(len(pager.take(full)), pager.finished) for _ in range(3)] == [(1, False), (0, False), (0, True)]


@given(LOGS)
def test_a_second_that_fills_a_page_does_not_stop_the_rest(log: list[LogLine]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_cursor, "_FULL", 60)
        read = read_all(log, "", 100)

    assert [nanoseconds(one.timestamp) for one in read] == sorted(nanoseconds(one.timestamp) for one in read)
    assert {second_of(one.timestamp) for one in read} == {second_of(one.timestamp) for one in log}


def second_size(log: list[LogLine], line: LogLine) -> int:
    second = second_of(line.timestamp)
    return sum(len(one.timestamp) + len(one.line) + 2 for one in log if second_of(one.timestamp) == second)


@given(st.lists(st.tuples(st.text(max_size=40), st.binary(max_size=20)), max_size=20), st.integers(1, 3))
def test_whatever_a_service_calls_a_time_is_read_to_the_end(entries: list[tuple[str, bytes]], reads: int) -> None:
    page = [LogLine(timestamp=timestamp, line=text) for timestamp, text in entries]
    pager = LogPager()

    read = [one.line for _ in range(reads) for one in pager.take(page)]

    assert read[: len(entries)] == [text for _, text in entries]
    assert pager.finished
