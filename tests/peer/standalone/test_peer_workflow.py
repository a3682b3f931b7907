"""The published ``armada-client`` against the embedded Armada: what its examples do works unchanged."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from airflow_armada.standalone.auth import Credentials
from airflow_armada.standalone.server import StandaloneArmada

SCRIPT = Path(__file__).parents[1] / "scripts" / "workflow.py"
STARTED = ["submitted", "queued", "leased", "pending", "running"]

pytestmark = pytest.mark.peer


@pytest.fixture(scope="module")
def facts(peer_python: str) -> dict[str, Any]:
    """What the script saw."""
    with StandaloneArmada(credentials=Credentials(anonymous=True)) as server:
        result = subprocess.run(
            [peer_python, str(SCRIPT), server.target], capture_output=True, text=True, timeout=120, check=False
        )
    assert result.returncode == 0, result.stderr
    return dict(json.loads(result.stdout))


def test_health(facts: dict[str, Any]) -> None:
    assert all("SERVING" in text or "status: 1" in text for text in facts["health"])


def test_queues(facts: dict[str, Any]) -> None:
    assert facts["queues"] == {
        "failed": ["bad"],
        "factor": 2.0,
        "listed": ["other", "peer"],
        "deleted": "NOT_FOUND",
    }


def test_a_job_that_succeeds(facts: dict[str, Any]) -> None:
    assert facts["success"] == {
        "events": [*STARTED, "succeeded"],
        "status": "SUCCEEDED",
        "by_uri": True,
        "run_of_job": True,
        "logs": [
            "armada-standalone: not applied here: containers[container1].securityContext.runAsUser",
            "hello from a peer",
        ],
        "error": "",
    }


def test_a_job_that_fails(facts: dict[str, Any]) -> None:
    assert facts["failure"]["events"] == [*STARTED, "failed"]
    assert "failed with exit code 7" in facts["failure"]["error"]


def test_cancelling_by_id_and_by_job_set(facts: dict[str, Any]) -> None:
    assert facts["cancelling"] == {
        "by_id": [*STARTED, "reprioritized", "cancelling", "cancelled"],
        "by_set": [*STARTED, "cancelling", "cancelled"],
    }


def test_preempting(facts: dict[str, Any]) -> None:
    assert facts["preempting"]["events"] == [*STARTED, "preempting", "preempted", "failed"]


def test_the_asyncio_client(facts: dict[str, Any]) -> None:
    assert facts["asyncio"] == {"events": [*STARTED, "succeeded"], "status": "SUCCEEDED"}
