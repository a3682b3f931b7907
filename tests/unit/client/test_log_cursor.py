"""Finding one's place in a log again: each line exactly once, in order, whatever the pages."""

from __future__ import annotations

from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_armada.client import log_cursor
from airflow_armada.client.log_cursor import BEGINNING, Line, LogCursor, Position, next_second, read_page
from airflow_armada.client.timestamps import nanoseconds


def lines(*texts: str) -> list[Line]:
    return [Line(text.split()[0], text.encode()) for text in texts]


def server_page(log: list[Line], since: str, limit: int = 1_000_000) -> list[Line]:
    """Answer as the log service does: from the whole second on, cut after some bytes."""
    second = nanoseconds(since) // 1_000_000_000 * 1_000_000_000
    page, room = [], limit
    for line in log:
        if nanoseconds(line.timestamp) < second:
            continue
        room -= len(line.timestamp) + 2
        if room <= 0:
            break
        page.append(Line(line.timestamp, line.line[:room]))
        room -= len(line.line)
    return page


def test_lines_of_the_second_that_were_shown_are_left_out() -> None:
    log = lines("2026-01-01T00:00:00.1Z a", "2026-01-01T00:00:00.2Z b", "2026-01-01T00:00:00.3Z c")

    page = read_page(Position("2026-01-01T00:00:00.2Z", 1), log)

    assert page.start == 2


def test_lines_with_equal_timestamps_are_counted() -> None:
    log = lines(*["2026-01-01T00:00:00.1Z x"] * 5)

    page = read_page(Position("2026-01-01T00:00:00.1Z", 3), log)

    assert page.start == 3
    assert page.after(4) == ("2026-01-01T00:00:00.1Z", 4)


def test_a_line_that_looks_older_than_the_last_one_is_not_lost() -> None:
    log = lines("2026-01-01T00:00:00.2Z out", "2026-01-01T00:00:00.1Z err")

    page = read_page(Position("2026-01-01T00:00:00.2Z", 1), log)

    assert page.start == 1


def test_a_place_that_is_gone_is_found_by_time() -> None:
    log = lines("2026-01-01T00:00:07.10Z a", "2026-01-01T00:00:07.9Z b")

    assert read_page(Position("2026-01-01T00:00:07.5Z", 1), log).start == 1
    assert read_page(Position("2026-01-01T00:00:09Z", 1), log).start == 2


def test_the_last_line_of_a_full_page_waits_for_the_next_one() -> None:
    log = lines("2026-01-01T00:00:00.1Z a", "2026-01-01T00:00:00.2Z b")
    with mock.patch.object(log_cursor, "_FULL", 40):
        page = read_page(BEGINNING, log)

    assert page.more
    assert len(page.lines) == 1


@pytest.mark.parametrize("value", [None, "x", ["a"], ["a", "b"], 3])
def test_what_is_no_position_is_the_beginning(value: object) -> None:
    assert Position.parse(value) == BEGINNING


def test_the_next_second_begins_before_all_of_its_lines() -> None:
    position = next_second(Position("2026-01-01T23:59:59.123456789Z", 7))

    assert position == ("2026-01-02T00:00:00Z", 0)
    assert read_page(position, lines("2026-01-02T00:00:00Z a")).start == 0


def test_a_late_line_with_the_time_of_the_second_before_is_not_lost() -> None:
    log = lines("2026-01-01T00:00:09.8Z a", "2026-01-01T00:00:10.1Z b")
    cursor = LogCursor()
    cursor.move(cursor.read(server_page(log, cursor.since)), 2)

    log += lines("2026-01-01T00:00:09.9Z late", "2026-01-01T00:00:10.2Z c")
    page = cursor.read(server_page(log, cursor.since))

    assert [line.line[-4:] for line in page.lines[page.start :]] == [b"late", b"2Z c"]


def test_seconds_that_fill_a_page_are_passed_over_and_told() -> None:
    flood = lines(*[f"2026-01-01T00:00:01.{number:03d}Z x" for number in range(100)])
    log = [*lines("2026-01-01T00:00:00Z a"), *flood, *lines("2026-01-01T00:00:02Z z")]
    cursor, shown, skips = LogCursor(), list[Line](), 0
    with mock.patch.object(log_cursor, "_FULL", 900):
        more = True
        while more:
            page = cursor.read(server_page(log, cursor.since, 1000))
            shown += page.lines[page.start :]
            skips += page.skips
            more = page.more
            if page.has_news:
                cursor.move(page, len(page.lines))

    assert shown[0] == log[0]
    assert shown[-1] == log[-1]
    assert shown == log[: len(shown) - 1] + log[-1:]
    assert skips == 1


LOGS = st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["", ".1", ".25", ".3"])), min_size=1, max_size=25)

STEP = st.tuples(st.integers(1, 9), st.integers(1, 7))


def as_log(parts: list[tuple[int, str]]) -> list[Line]:
    """Make a log in whose order times go back now and then, as where stdout and stderr interleave."""
    stamps = sorted((f"2026-01-01T00:00:{second:02d}{fraction}Z" for second, fraction in parts), key=nanoseconds)
    for index in range(1, len(stamps), 3):
        stamps[index - 1 : index + 1] = reversed(stamps[index - 1 : index + 1])
    return [Line(stamp, b"%d" % number) for number, stamp in enumerate(stamps)]


@given(LOGS, st.data())
def test_every_line_is_shown_once_and_in_order(parts: list[tuple[int, str]], draws: st.DataObject) -> None:
    log = as_log([(second // 4, fraction) for second, fraction in parts])
    shown: list[Line] = []
    cursor = LogCursor()
    while len(shown) < len(log):
        written, room = draws.draw(STEP)
        page = cursor.read(server_page(log[: len(shown) + written], cursor.since))
        end = min(len(page.lines), page.start + room)
        shown += page.lines[page.start : end]
        if end > page.start:
            cursor.move(page, end)
            cursor = LogCursor(Position.parse(list(cursor.position)))

    assert shown == log


@given(LOGS, st.integers(240, 500))
def test_a_log_cut_into_pages_is_shown_whole(parts: list[tuple[int, str]], limit: int) -> None:
    log = as_log([(number, fraction) for number, (_, fraction) in enumerate(parts)])
    shown: list[Line] = []
    cursor = LogCursor()
    with mock.patch.object(log_cursor, "_FULL", limit - 60):
        for _ in range(2 * len(log) + 2):
            page = cursor.read(server_page(log, cursor.since, limit))
            shown += page.lines[page.start :]
            if page.has_news:
                cursor.move(page, len(page.lines))

    assert shown == log
