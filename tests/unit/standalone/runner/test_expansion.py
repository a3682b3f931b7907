"""References to variables, as Kubernetes replaces them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_armada.standalone.runner.expansion import expand

VARIABLES = {"NAME": "value", "EMPTY": "", "TRICK": "$(NAME)"}


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("$(NAME)", "value"),
        ("a$(NAME)b$(NAME)", "avaluebvalue"),
        ("$(EMPTY)", ""),
        ("$(UNKNOWN)", "$(UNKNOWN)"),
        ("$$(NAME)", "$(NAME)"),
        ("$$$(NAME)", "$value"),
        ("$$", "$"),
        ("$NAME ${NAME} $", "$NAME ${NAME} $"),
        ("$(NAME", "$(NAME"),
        ("$(TRICK)", "$(NAME)"),
        ("$()", "$()"),
    ],
)
def test_references(text: str, expanded: str) -> None:
    assert expand(text, VARIABLES) == expanded


@given(st.text(alphabet=st.characters(exclude_characters="$")))
def test_a_text_without_dollars_stays_as_it_is(text: str) -> None:
    assert expand(text, VARIABLES) == text
