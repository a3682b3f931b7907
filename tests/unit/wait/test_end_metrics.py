"""The metrics that the end of a job sends."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_armada import _metrics
from airflow_armada.client.job_ref import JobRef
from airflow_armada.follow.state.outcome import Outcome
from airflow_armada.wait.job_wait import JobWait
from airflow_armada.wait.metrics import count_end


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any, dict[str, str]]]:
    found: list[tuple[str, Any, dict[str, str]]] = []
    monkeypatch.setattr(_metrics, "_send", lambda kind, name, value, tags: found.append((name, value, tags)))
    return found


def test_an_end_is_counted_and_timed(sent: list[tuple[str, Any, dict[str, str]]]) -> None:
    wait = JobWait("armada_default", JobRef("q", "set", "job-1"), submitted_at=time.time() - 60)
    finished = datetime.now(UTC) - timedelta(seconds=2)

    count_end(wait, Outcome("succeeded", "job-1", finished_at=finished.isoformat().replace("+00:00", "Z")))

    names = {name: (value, tags) for name, value, tags in sent}
    assert names["armada.job_end"] == (1, {"queue": "q", "status": "succeeded"})
    assert timedelta(seconds=57) < names["armada.job_time"][0] < timedelta(seconds=59)
    assert names["armada.end_lag"][1] == {"queue": "q"}


def test_an_end_at_an_unknown_time_is_only_counted(sent: list[tuple[str, Any, dict[str, str]]]) -> None:
    wait = JobWait("armada_default", JobRef("q", "set", "job-1"), submitted_at=time.time())

    count_end(wait, Outcome("timed_out", "job-1"))

    assert [name for name, _, _ in sent] == ["armada.job_end", "armada.job_end.timed_out"]
