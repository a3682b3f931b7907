"""What a follower says about a job."""

from __future__ import annotations

import pytest

from airflow_armada.follow.state.texts import scheduler_reason


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        ("", ""),
        ("cpu:\n\tUnschedulableReason: no room\n", "no room"),
        ("a:\n UnschedulableReason: x\nb:\n UnschedulableReason: x\nc:\n UnschedulableReason: y\n", "x; y"),
        ("cpu:\n\tMost recent round: none\n", "cpu:; Most recent round: none"),
        ("cpu:\n UnschedulableReason: none\n Node: n1\n", "cpu:; UnschedulableReason: none; Node: n1"),
    ],
)
def test_the_schedulers_report_is_shortened_to_its_reason(report: str, expected: str) -> None:
    assert scheduler_reason(report) == expected
