"""What a worker prints of a long log is bounded, and it says what it leaves out."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from airflow_armada.wait.newest_lines import NewestLines


class Remembering:
    def __init__(self) -> None:
        self.said: list[str] = []
        self.shown: list[tuple[str, str]] = []

    def state(self, text: str, at: str = "", level: str = "info") -> None:
        self.said.append(text)

    async def log_lines(self, container: str, lines: Sequence[tuple[str, str]]) -> None:
        self.shown += [(container, text) for _, text in lines]


def numbered(first: int, count: int) -> list[tuple[str, str]]:
    return [("2026-11-22T10:00:00Z", str(number)) for number in range(first, first + count)]


@given(st.lists(st.integers(0, 300), max_size=6), st.integers(0, 500))
async def test_the_newest_lines_are_shown_in_order_and_the_others_counted(parts: list[int], limit: int) -> None:
    inner = Remembering()
    newest = NewestLines(inner, limit)
    for index, count in enumerate(parts):
        await newest.log_lines("base", numbered(sum(parts[:index]), count))
    await newest.release()

    everything = [("base", str(number)) for number in range(sum(parts))]
    assert inner.shown == (everything[-limit:] if limit else everything)
    left_out = len(everything) - len(inner.shown)
    assert [text.split(" ", 1)[0] for text in inner.said] == ([str(left_out)] if left_out else [])


async def test_each_container_has_its_own_bound() -> None:
    inner = Remembering()
    newest = NewestLines(inner, 2)
    await newest.log_lines("base", numbered(0, 3))
    await newest.log_lines("sidecar", numbered(0, 2))
    await newest.release()

    assert inner.shown == [("base", "1"), ("base", "2"), ("sidecar", "0"), ("sidecar", "1")]
    assert len(inner.said) == 1
    assert "container base" in inner.said[0]


async def test_what_is_said_of_the_job_is_passed_on_at_once() -> None:
    inner = Remembering()

    NewestLines(inner, 1).state("its log cannot be read for now")

    assert inner.said == ["its log cannot be read for now"]
