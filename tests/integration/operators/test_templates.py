"""Templates, mapping, subclasses and what the job is told: on a real Airflow with ``dag.test()``."""

from __future__ import annotations

import pytest

from tests.integration.operators.conftest import InlineAirflow

pytestmark = pytest.mark.timeout(600)


def test_templates_are_rendered_in_models_and_messages_too(airflow: InlineAirflow) -> None:
    run = airflow.run("""
        from kubernetes.client import V1EnvVar
        from airflow_armada.api import core_v1_pb2, resource_pb2, submit_pb2

        one = resource_pb2.Quantity(string="{{ 25 + 25 }}m")
        resources = core_v1_pb2.ResourceRequirements(limits={"cpu": one})
        echo = core_v1_pb2.Container(name="a", image="b", command=["sh", "-c", "echo $MODEL {{ dag.dag_id }}"])
        echo.resources.CopyFrom(resources)
        item = submit_pb2.JobSubmitRequestItem(pod_spec=core_v1_pb2.PodSpec(containers=[echo]))
        ArmadaOperator(
            task_id="work", armada_queue="research", job_request=item,
            env_vars=[V1EnvVar(name="MODEL", value="{{ task.task_id }}")],
        )
    """)

    assert run.pod_lines() == [f"work {run.dag_id}"]
    assert "cpu: 50m" in run.task("work")["rendered"]["rendered_job"]


def test_native_rendering_gives_values_their_types_back(airflow: InlineAirflow) -> None:
    run = airflow.run("""
        dag.render_template_as_native_obj = True
        pod = {
            "containers": [{
                "name": "a", "image": "b", "command": ["sh", "-c", "echo $PORT $LIST"],
                "ports": [{"containerPort": "{{ 8000 + 80 }}"}], "resources": {"limits": {"memory": "16Mi"}},
            }],
            "terminationGracePeriodSeconds": "{{ 5 }}",
        }
        ArmadaOperator(
            task_id="work", armada_queue="research", pod_spec=pod, priority="{{ 3 }}",
            env_vars={"PORT": "{{ 8000 + 80 }}", "LIST": "a"}, labels={"number": "{{ 7 }}"},
        )
    """)

    assert run.pod_lines() == ["8080 a"]
    shown = run.task("work")["rendered"]["rendered_job"]
    assert "containerPort: 8080" in shown
    assert "number: '7'" in shown


def test_any_argument_is_mapped_over(airflow: InlineAirflow) -> None:
    run = airflow.run("""
        echo = {"name": "a", "image": "b", "resources": {"limits": {"memory": "16Mi"}}}
        ArmadaOperator.partial(task_id="bases", armada_queue="research").expand(
            pod_spec=[{"containers": [{**echo, "command": ["echo", word]}]} for word in ("one", "two")]
        )

        @task
        def plan():
            return [{"env_vars": {"WORD": "three"}, "get_logs": "base"}, {"env_vars": {"WORD": "four"}}]

        ArmadaOperator.partial(
            task_id="several", **SMALL, cmds=["sh", "-c"], arguments=["echo $WORD"]
        ).expand_kwargs(plan())
    """)

    assert run.state == "success"
    assert sorted(run.pod_lines()) == ["four", "one", "three", "two"]


def test_a_mapped_job_is_given_and_shown_like_any_other(airflow: InlineAirflow) -> None:
    run = airflow.run("""
        def pod(context):
            return {"containers": [{
                "name": "a", "image": "b", "command": ["sh", "-c", "echo $WORD {{ task.task_id }}"],
                "resources": {"limits": {"memory": "16Mi"}},
            }]}

        ArmadaOperator.partial(task_id="work", armada_queue="research", pod_spec=pod).expand(
            env_vars=[{"WORD": "one"}, {"WORD": "two"}]
        )
    """)

    assert sorted(run.pod_lines()) == ["one work", "two work"]
    for index, word in enumerate(("one", "two")):
        assert f"value: {word}" in run.task("work", index)["rendered"]["rendered_job"]


def test_a_mapped_job_that_is_invalid_fails_only_its_own_task(airflow: InlineAirflow) -> None:
    run = airflow.run("""
        @task
        def teams():
            return [{"team": "a"}, {"team": "not a label"}]

        ArmadaOperator.partial(task_id="work", **SMALL, cmds=["true"]).expand(labels=teams())
    """)

    assert [run.task("work", index)["state"] for index in (0, 1)] == ["success", "failed"]
    ((kind, text),) = run.errors()
    assert kind == "ArmadaRefused"
    assert "labels['team']" in text


def test_subclasses_add_template_fields(airflow: InlineAirflow) -> None:
    run = airflow.run("""
        class Report(ArmadaOperator):
            template_fields = (*ArmadaOperator.template_fields, "title")

            def __init__(self, *, title, **kwargs):
                super().__init__(**kwargs)
                self.title = title

            def build_request(self, identity):
                self.env_vars = {"TITLE": self.title}
                return super().build_request(identity)

        Report(task_id="work", **SMALL, cmds=["sh", "-c"], arguments=["echo $TITLE"], title="{{ dag.dag_id }}")
        Report.partial(task_id="mapped", **SMALL, cmds=["sh", "-c"], arguments=["echo $TITLE"]).expand(title=["m"])
    """)

    assert sorted(run.pod_lines()) == sorted([run.dag_id, "m"])
    assert run.task("work")["rendered"]["title"] == run.dag_id


def test_the_job_knows_its_task(airflow: InlineAirflow) -> None:
    run = airflow.run("""
        sh("work", 'env | grep -E "^(AIRFLOW_CTX|ARMADA_JOB_SET|ARMADA_QUEUE|TRACEPARENT|OPENLINEAGE)"')
    """)

    env = dict(line.split("=", 1) for line in run.pod_lines())
    assert env.pop("AIRFLOW_CTX_LOGICAL_DATE", "")[:2] in ("", "20")
    assert env == {
        "AIRFLOW_CTX_DAG_ID": run.dag_id,
        "AIRFLOW_CTX_DAG_RUN_ID": run.run_id,
        "AIRFLOW_CTX_TASK_ID": "work",
        "AIRFLOW_CTX_MAP_INDEX": "-1",
        "AIRFLOW_CTX_TRY_NUMBER": "1",
        "AIRFLOW_CTX_RESUBMISSION": "0",
        "ARMADA_QUEUE": "research",
        "ARMADA_JOB_SET_ID": f"{run.dag_id}.{run.run_id}",
    }
    shown = run.task("work")["rendered"]["rendered_job"]
    for fact in ("dag-id", "run-id", "task-id", "try-number"):
        assert shown.count(f"airflow.apache.org/{fact}:") == 2, "a label and an annotation"
    assert "armadaproject.io/externalJobUri: airflow://" in shown


def test_values_of_variables_with_telling_names_are_not_shown(airflow: InlineAirflow) -> None:
    run = airflow.run("""sh("work", 'printf %s "$DB_PASSWORD" | wc -c', env_vars={"DB_PASSWORD": "hunter2hunter2"})""")

    assert run.pod_lines() == ["14"]
    assert "hunter2" not in str(run.task("work")["rendered"])
    assert "hunter2" not in run.messages()


def test_a_dag_file_with_mistakes_is_an_import_error_that_says_all_of_them(airflow: InlineAirflow) -> None:
    with pytest.raises(AssertionError) as raised:
        airflow.run("""sh("work", "true", labels={"team": "a b"}, container_resources={"memory": "4GB"})""")

    text = " ".join(str(raised.value).split())
    assert "task 'work' has 3 problems: - " in text
    assert "labels['team']: a label value must be" in text
    assert "write 4G" in text


def test_a_secret_variable_is_hidden_in_whatever_form_the_job_is_given(airflow: InlineAirflow) -> None:
    run = airflow.run(
        """
        ENV = [{"name": "DB_PASSWORD", "value": "hunter2hunter2"}]
        POD = {"containers": [{"name": "base", "image": "busybox:1.37", "command": ["true"], "env": ENV,
                               "resources": {"limits": {"cpu": "100m", "memory": "32Mi"}}}]}
        ArmadaOperator(task_id="list", armada_queue="research", cmds=["true"], image="busybox:1.37", env_vars=ENV,
                       container_resources={"cpu": "100m", "memory": "32Mi"})
        ArmadaOperator(task_id="pod", armada_queue="research", pod_spec=POD)
        ArmadaOperator(task_id="yaml", armada_queue="research", pod_spec=str(POD))
        ArmadaOperator(task_id="refused", armada_queue="research", pod_spec={**POD, "hostname": "{{ 'x' * 300 }}"})
        """
    )

    for task_id in ("list", "pod", "yaml", "refused"):
        assert "hunter2" not in str(run.task(task_id)["rendered"]), task_id
    assert "hunter2" not in str(run.log)
