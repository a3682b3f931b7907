"""The short form reaches the job: on a real Airflow with ``dag.test()``."""

from __future__ import annotations

import pytest

from airflow_armada.client.client import ArmadaClient
from tests.integration.operators.conftest import InlineAirflow

pytestmark = pytest.mark.timeout(600)


def test_arguments_reach_the_pod_also_when_they_are_templates(airflow: InlineAirflow, client: ArmadaClient) -> None:
    run = airflow.run("""
        sh(
            "work", "true",
            tolerations=[{"key": "{{ dag.dag_id }}", "operator": "Exists"}],
            volumes=[{"name": "v", "emptyDir": {}}],
            volume_mounts=[{"name": "v", "mountPath": "/tmp/{{ dag.dag_id }}"}],
            init_containers=[{"name": "first", "image": "alpine", "command": ["true"],
                              "resources": {"limits": {"cpu": "50m", "memory": "16Mi"}}}],
            termination_grace_period_seconds="{{ 5 + 5 }}",
            working_dir="/",
        )
    """)

    assert run.state == "success"
    job_id = run.result("work")["job_id"]
    spec = client.get_job_details([job_id], expand_job_spec=True).job_details[job_id].job_spec
    pod = spec.pod_spec if spec.HasField("pod_spec") else spec.pod_specs[0]
    assert run.dag_id in [toleration.key for toleration in pod.tolerations]
    assert pod.containers[0].volumeMounts[0].mountPath == f"/tmp/{run.dag_id}"
    assert pod.terminationGracePeriodSeconds == 10
    assert pod.initContainers[0].name == "first"


def test_a_mistake_that_only_shows_in_the_run_is_told_before_anything_is_submitted(airflow: InlineAirflow) -> None:
    run = airflow.run("""
        sh("work", "true", labels={"team": "{{ 'a b' }}"}, container_resources={"memory": "{{ 4 }}GB"})
    """)

    ((kind, text),) = run.errors()
    assert kind == "ArmadaRefused"
    assert "labels['team']" in text
    assert "requests['memory']: must be a quantity such as 500m, 2 or 1Gi, got '4GB'; write 4G" in text
