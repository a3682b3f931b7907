"""Jobs that end around the time of their deferral: Airflow must not take the resume for a crash of the worker.

``CHAOS_SHORT_JOBS=many_short`` runs a hundred of each length; with ``CHAOS_HEARTBEAT=5``, Airflow's default, the
executor reports the first worker's end latest. ``CHAOS_EVENT_HOLD=0.1`` takes the provider's hold away, and so shows
whether an Airflow still needs it: then tasks fail.
"""

from __future__ import annotations

import os

import pytest

from tests.chaos.world import World

DAG_ID = os.environ.get("CHAOS_SHORT_JOBS", "short")


@pytest.mark.timeout(2400)
def test_no_short_job_fails_its_task(world: World) -> None:
    run = world.start(DAG_ID)

    findings = world.settle(run, patience=1800 if DAG_ID == "many_short" else 400)

    assert findings.problems == []
    assert {task["try_number"] for task in run.tasks()} == {1}
