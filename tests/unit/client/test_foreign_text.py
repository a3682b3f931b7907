"""Text from outside: what is stored can be stored, what is shown plays no tricks."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from airflow_armada.client.foreign_text import printable, storable, storable_value

TEXTS = st.text(st.characters(exclude_categories=()))


@given(TEXTS)
def test_fuzz_what_is_stored_has_neither_nul_nor_half_a_surrogate_pair(text: str) -> None:
    stored = storable(text)
    assert "\0" not in stored
    stored.encode()


@given(st.recursive(TEXTS | st.integers() | st.none(), lambda v: st.lists(v) | st.dictionaries(TEXTS, v)))
def test_fuzz_plain_data_survives_json_and_utf8(value: object) -> None:
    json.dumps(storable_value(value), ensure_ascii=False).encode()
    assert "\\u0000" not in json.dumps(storable_value(value))


@given(TEXTS)
def test_fuzz_what_is_shown_is_one_line_that_a_terminal_does_not_obey(text: str) -> None:
    shown = printable(text)
    assert len(shown.splitlines()) <= 1
    assert "\x1b" not in shown
    assert "\u202e" not in shown


def test_a_text_that_is_too_long_is_cut_and_says_so() -> None:
    assert storable("x" * 20, limit=10) == "x" * 10 + " … (10 more characters)"
