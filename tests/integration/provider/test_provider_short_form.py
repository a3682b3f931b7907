"""The short form reaches the job: on a real Airflow with ``dag.test()``."""

from __future__ import annotations

import pytest

from airflow_armada.client.client import ArmadaClient
from tests.integration.provider.conftest import InlineAirflow

pytestmark = pytest.mark.timeout(300)


def test_every_argument_of_the_job_is_an_argument_of_the_operator() -> None:
    import inspect
    from dataclasses import fields

    from airflow_armada.jobs.request import JobSpec
    from airflow_armada.operators.armada import ArmadaOperator

    made_by_the_operator = {
        "client_id",
        "external_job_uri",
        "identity_labels",
        "identity_annotations",
        "context_env",
        "scheduler",
    }
    of_the_job = {field.name for field in fields(JobSpec)} - made_by_the_operator
    of_the_operator = set(inspect.signature(ArmadaOperator.__init__).parameters)
    assert of_the_job <= of_the_operator
    assert of_the_job - {"fail_fast"} <= set(ArmadaOperator.template_fields)


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


def test_a_mistake_in_any_argument_is_told_before_anything_is_submitted(airflow: InlineAirflow) -> None:
    run = airflow.run("""
        sh("work", "true", volumes=[{"name": "v", "emptydir": {}}], tolerations=[{"efect": "x"}])
    """)

    ((kind, text),) = run.errors()
    assert kind == "ArmadaRefused"
    assert "volumes[0].emptydir: unknown field; did you mean emptyDir?" in text
    assert "tolerations[0].efect: unknown field; did you mean effect?" in text
