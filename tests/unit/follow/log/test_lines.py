"""Container output made fit for a task log."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from airflow_armada.follow.log.lines import MAX_BYTES, printable


@given(st.binary(max_size=100), st.integers(0, 300))
def test_fuzz_a_line_of_any_bytes_is_printed_without_group_markers(part: bytes, times: int) -> None:
    pieces = list(printable((part + b"::group::") * times))

    assert pieces
    assert all("::group::" not in piece and "::endgroup::" not in piece for piece in pieces)


@given(st.text(alphabet="aé€😀", min_size=1, max_size=50), st.integers(1, 500))
def test_splitting_cuts_no_character(part: str, times: int) -> None:
    text = part * times
    pieces = list(printable(text.encode()))

    assert "".join(pieces) == text
    assert all(len(piece.encode()) <= MAX_BYTES for piece in pieces)


def test_group_markers_lose_their_meaning() -> None:
    assert list(printable(b"::group::x ::endgroup::")) == [": :group::x : :endgroup::"]


def test_bytes_that_are_no_text_are_replaced() -> None:
    assert list(printable(b"a\xffb")) == ["a\ufffdb"]


def test_what_no_database_stores_is_replaced() -> None:
    assert list(printable(b"a\0b\xed\xa0\x80c")) == ["a\ufffdb\ufffd\ufffd\ufffdc"]
