"""Exit codes that skip a task."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from airflow_armada.follow.state.outcome import Outcome
from airflow_armada.task.end.skip import skip_code


def ended(status: str = "failed", **exit_codes: int) -> Outcome:
    return Outcome.from_dict(
        {"status": status, "queue": "q", "job_set_id": "s", "job_id": "j", "exit_codes": exit_codes}
    )


@pytest.mark.parametrize(
    ("wanted", "outcome", "code"),
    [
        (99, ended(base=99), 99),
        ([98, 99], ended(base=99), 99),
        ({99}, ended(base=99, sidecar=0), 99),
        (99, ended(base=1), None),
        (99, ended(base=99, sidecar=1), None),
        (99, ended(), None),
        (99, ended("preempted", base=99), None),
        (None, ended(base=99), None),
    ],
)
def test_a_job_skips_its_task(wanted: int | Collection[int] | None, outcome: Outcome, code: int | None) -> None:
    assert skip_code(wanted, outcome) == code
