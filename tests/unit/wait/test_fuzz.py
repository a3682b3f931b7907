"""Whatever stands in a database: it is a job to wait for and an end, or an error of ours says that it is none.

Seconds in the unit tests; as long as wanted with `make fuzz`.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from airflow_armada.client.job_ref import JobRef
from airflow_armada.follow.state.outcome import Outcome
from airflow_armada.task.submit.record import JobRecord
from airflow_armada.wait.job_wait import JobWait

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
WAIT = JobWait.from_dict({"armada_conn_id": "c", "queue": "q", "job_set_id": "s", "job_id": "j", "submitted_at": 1.0})


def damaged(good: dict[str, Any], names: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    """What is stored, with some values replaced by others and some left out."""
    replaced = st.dictionaries(st.sampled_from(names) | st.text(max_size=5), PLAIN, max_size=4)
    return st.builds(
        lambda changes, gone: {name: value for name, value in {**good, **changes}.items() if name not in gone},
        replaced,
        st.sets(st.sampled_from(sorted(good)), max_size=1),
    )


@given(damaged(WAIT.to_dict(), list(JobWait.__dataclass_fields__)))
def test_fuzz_any_row_of_a_trigger_is_a_job_to_wait_for_or_none(row: dict[str, Any]) -> None:
    with suppress(ValueError):
        wait = JobWait.from_dict(row)
        again = JobWait.from_dict(json.loads(json.dumps(wait.to_dict())))
        assert again == wait
        assert isinstance(wait.shows("base"), bool)
        assert wait.deadline is None or wait.deadline + 1.0 != 0


@given(damaged(Outcome("failed", "j").to_dict(), list(Outcome.__dataclass_fields__)))
def test_fuzz_any_event_of_a_trigger_is_an_outcome_or_none(event: dict[str, Any]) -> None:
    with suppress(ValueError):
        outcome = Outcome.from_dict(event)
        json.dumps(outcome.to_dict()).encode()


@given(damaged(JobRecord(1, 0, "c", "uri", JobRef("q", "s", "j")).to_dict(), list(JobRecord.__dataclass_fields__)))
def test_fuzz_any_record_of_the_state_store_is_of_a_job_or_none(stored: dict[str, Any]) -> None:
    with suppress(ValueError):
        record = JobRecord.from_dict(stored)
        assert JobRecord.from_dict(json.loads(json.dumps(record.to_dict()))) == record
        assert abs(record.submitted_at) <= 2**63
