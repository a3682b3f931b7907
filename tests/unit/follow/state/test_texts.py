"""What a follower says about a job."""

from __future__ import annotations

import pytest

from airflow_armada.follow.state import outcome
from airflow_armada.follow.state.progress import ENDED, JobProgress
from airflow_armada.follow.state.texts import phase_level, phase_text


@pytest.mark.parametrize(
    ("known", "text"),
    [
        ({"end": outcome.SUCCEEDED}, "succeeded"),
        ({"end": outcome.CANCELLED}, "was cancelled"),
        ({"end": outcome.CANCELLED, "requestor": "ann"}, "was cancelled by ann"),
        ({"end": outcome.CANCELLED, "requestor": "ann", "reason": "too big"}, "was cancelled by ann: too big"),
        ({"end": outcome.PREEMPTED, "requestor": "ann", "reason": "urgent"}, "was preempted by ann: urgent"),
        (
            {
                "end": outcome.FAILED,
                "cause": "OOM",
                "reason": "Container c failed with exit code 137",
                "exit_codes": {"c": 137},
            },
            "failed (OOM): Container c failed with exit code 137",
        ),
        (
            {"end": outcome.FAILED, "cause": "OOM", "reason": "c failed with exit code 137", "exit_codes": {"c": 137}},
            "failed (OOM): c failed with exit code 137",
        ),
        ({"end": outcome.FAILED, "reason": "a\n\nb\n", "exit_codes": {"c": 3}}, "failed: a; b; c exited with 3"),
    ],
)
def test_an_end_tells_who_and_why_once(known: dict[str, object], text: str) -> None:
    assert phase_text(JobProgress(phase=ENDED, **known)) == text  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("end", "level"),
    [
        ("", "info"),
        (outcome.SUCCEEDED, "info"),
        (outcome.FAILED, "error"),
        (outcome.REJECTED, "error"),
        (outcome.LOST, "error"),
        (outcome.PREEMPTED, "warning"),
        (outcome.CANCELLED, "warning"),
    ],
)
def test_a_bad_end_stands_out(end: str, level: str) -> None:
    assert phase_level(JobProgress(phase=ENDED, end=end)) == level
