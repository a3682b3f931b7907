"""How a job ended, as plain data."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_armada.follow.state import outcome as outcomes
from airflow_armada.follow.state.outcome import Outcome

TEXTS = st.text(max_size=20)
OUTCOMES = st.builds(
    Outcome,
    status=st.sampled_from(sorted(outcomes.STATUSES)),
    job_id=st.text(min_size=1, max_size=26),
    reason=TEXTS,
    exit_codes=st.dictionaries(TEXTS, st.integers(0, 255), max_size=3),
    resources=st.dictionaries(TEXTS, TEXTS, max_size=3),
    ran=st.booleans(),
    log_positions=st.dictionaries(TEXTS, st.lists(TEXTS, min_size=2, max_size=2), max_size=2),
    logs_complete=st.booleans(),
)


@given(OUTCOMES)
def test_an_outcome_survives_json(outcome: Outcome) -> None:
    assert Outcome.from_dict(json.loads(json.dumps(outcome.to_dict()))) == outcome


def test_an_outcome_of_another_version_is_read_as_far_as_it_is_known() -> None:
    content = {"version": 9, "status": "failed", "job_id": "j", "mood": "sad"}

    assert Outcome.from_dict(content) == Outcome("failed", "j")


@pytest.mark.parametrize("content", [{}, {"status": "failed"}, {"job_id": "j"}, {"status": "happy", "job_id": "j"}])
def test_what_is_no_outcome_is_refused(content: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"not an outcome|is missing"):
        Outcome.from_dict(content)


def test_an_outcome_is_small_where_it_says_little() -> None:
    assert Outcome("succeeded", "j").to_dict() == {"version": 1, "status": "succeeded", "job_id": "j"}


def test_an_outcome_holds_nothing_that_a_database_refuses() -> None:
    outcome = Outcome(
        "failed", "j", reason="a\0b", node="\ud800", exit_codes={"ma\0in": 3}, log_positions={"c": ["\0", 1]}
    )

    assert (outcome.reason, outcome.node) == ("a\ufffdb", "\ufffd")
    assert (outcome.exit_codes, outcome.log_positions) == ({"ma\ufffdin": 3}, {"c": ["\ufffd", 1]})
