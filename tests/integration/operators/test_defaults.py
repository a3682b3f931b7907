"""What a job gets where its task says nothing: on a real Airflow with ``dag.test()``."""

from __future__ import annotations

import pytest

from tests.integration.operators.conftest import InlineAirflow

pytestmark = pytest.mark.timeout(300)
both_modes = pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "blocking"])


@both_modes
def test_the_defaults_of_the_connection_are_used_and_shown(airflow: InlineAirflow, deferrable: bool) -> None:
    run = airflow.run(f"""
        ArmadaOperator(
            task_id="work", image="busybox", cmds=["sh", "-c", "echo hello"], armada_conn_id="armada_defaults",
            labels={{"team": "mine"}}, deferrable={deferrable},
        )
    """)

    assert run.state == "success"
    assert run.result("work")["queue"] == "research"
    shown = run.task("work")["rendered"]["rendered_job"]
    for line in ("queue: research", "namespace: team-a", "team: mine", "tier: batch", "memory: 24Mi", "cpu: 50m"):
        assert line in shown


@both_modes
def test_without_a_queue_anywhere_one_line_names_all_places(airflow: InlineAirflow, deferrable: bool) -> None:
    run = airflow.run(f"""
        ArmadaOperator(task_id="work", image="busybox", cmds=["true"], deferrable={deferrable}, retries=2)
    """)

    ((kind, text),) = run.errors()
    assert kind == "ArmadaRefused"
    assert text == (
        "no queue to submit to: give armada_queue, or queue in job_request, or default_queue in connection "
        "'armada_default' or in [armada] of Airflow's configuration"
    )
    assert "Submitted" not in run.messages()
