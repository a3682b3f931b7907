"""The lines of a container and the pages that are read of them."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from airflow_armada.standalone.runner.container_log import LINE_COST, ContainerLog, LogSpace, rfc3339

STAMP = len(rfc3339(0)) + 1
EVERYTHING = 10**9
LINES = st.lists(st.binary(max_size=20).filter(lambda line: b"\n" not in line), max_size=30)


def texts(log: ContainerLog, since: int = 0, tail: int | None = None, limit: int = EVERYTHING) -> list[bytes]:
    return [line for _, line in log.page(since, tail, limit)]


def filled(lines: list[bytes]) -> ContainerLog:
    log = ContainerLog(EVERYTHING)
    log.feed(b"".join(line + b"\n" for line in lines))
    return log


@given(LINES, st.lists(st.integers(0, 200), max_size=5))
def test_lines_do_not_depend_on_how_they_arrive(lines: list[bytes], cuts: list[int]) -> None:
    content = b"".join(line + b"\n" for line in lines)
    log = ContainerLog(EVERYTHING)

    edges = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
    for start, end in pairwise(edges):
        log.feed(content[start:end])

    assert texts(log) == lines


@given(LINES)
def test_times_rise_from_line_to_line(lines: list[bytes]) -> None:
    stamps = [stamp for stamp, _ in filled(lines).page(0, None, EVERYTHING)]

    assert stamps == sorted(set(stamps))


@given(LINES, st.integers(0, 40))
def test_the_tail_is_the_last_lines(lines: list[bytes], tail: int) -> None:
    assert texts(filled(lines), tail=tail) == lines[len(lines) - min(tail, len(lines)) :]


@given(LINES, st.integers(0, 500))
def test_a_page_is_the_start_of_the_text_up_to_its_limit(lines: list[bytes], limit: int) -> None:
    whole = b"".join(b"t" * STAMP + line + b"\n" for line in lines)

    page = filled(lines).page(0, None, limit)

    text = b"".join(b"t" * STAMP + line + b"\n" for _, line in page)
    assert whole.startswith(text[:-1])
    assert len(text) - 1 <= limit
    assert limit - len(text) < STAMP or len(text) == len(whole)


def test_older_lines_are_left_out() -> None:
    log = filled([b"a", b"b", b"c"])
    second = log.page(0, None, EVERYTHING)[1][0]

    assert texts(log, since=second) == [b"b", b"c"]
    assert texts(log, since=second + 10**12) == []


def test_an_unfinished_line_appears_when_the_log_is_closed() -> None:
    log = ContainerLog(EVERYTHING)
    log.feed(b"done\nalmost")
    assert texts(log) == [b"done"]

    log.close()

    assert texts(log) == [b"done", b"almost"]


def test_the_oldest_lines_give_way() -> None:
    log = ContainerLog(10 * (9 + LINE_COST))
    for number in range(1000):
        log.feed(b"%09d\n" % number)

    lines = texts(log)

    assert lines[-1] == b"000000999"
    assert len(lines) <= 10


def test_times_are_written_with_nine_digits() -> None:
    assert rfc3339(1_700_000_000_000_000_001) == "2023-11-14T22:13:20.000000001Z"


def test_lines_without_text_take_space_too() -> None:
    log = ContainerLog(10_000)

    log.feed(b"\n" * 100_000)

    assert len(log.page(0, None, 2**30)) <= 10_000 / LINE_COST


def test_all_logs_together_stay_within_their_space() -> None:
    space = LogSpace(20_000)
    logs = [ContainerLog(10_000, space) for _ in range(5)]

    for _ in range(100):
        for log in logs:
            log.feed(b"x" * 400 + b"\n")

    assert space.used <= 20_000
    logs[0].clear()
    for log in logs[1:]:
        log.clear()
    assert space.used == 0
