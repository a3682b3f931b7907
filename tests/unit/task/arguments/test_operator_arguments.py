"""What the operator refuses while a DAG file is parsed, and what it leaves until it knows more."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk import DAG, Asset, task

from airflow_armada.callbacks import JobCallbacks
from airflow_armada.operators.armada import ArmadaOperator
from tests.support.airflow_versions import DagSerialization

SHORT: dict[str, Any] = {"armada_queue": "research", "image": "busybox"}


def operator(**arguments: Any) -> ArmadaOperator:
    return ArmadaOperator(**{"task_id": "work", **SHORT, **arguments})


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"reattach": "sometimes"}, "reattach must be one of never, running, running_or_succeeded"),
        ({"resubmit_on": ["preempted", "bored"]}, "resubmit_on must be one of preempted, evicted, lease_expired"),
        ({"preemption_retries": -1}, "preemption_retries must be a whole number from 0, not -1"),
        ({"preemption_retries": 1.5}, "preemption_retries must be a whole number"),
        ({"preemption_retries": True}, "preemption_retries must be a whole number"),
        ({"queued_timeout": 0}, "queued_timeout must be a timedelta or a number of seconds"),
        ({"queued_timeout": timedelta(seconds=-1)}, "queued_timeout must be a timedelta or a number of seconds"),
        ({"queued_timeout": "soon"}, "queued_timeout must be a timedelta or a number of seconds"),
        ({"armada_queue": " "}, "armada_queue must not be empty"),
        ({"image": None}, "nothing to run: give one of image, pod_spec, job_request"),
    ],
)
def test_what_can_never_work_fails_at_once(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        operator(**arguments)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"do_xcom_push": True}, "would lose the return value, which would arrive as text: add do_xcom_push=False"),
        ({"get_result": True}, "would lose the result: take away get_result"),
        ({"on_success_callback": print}, "would lose on_success_callback"),
        ({"outlets": [Asset("s3://bucket/key")]}, "would lose the asset events of outlets"),
        ({"callbacks": JobCallbacks}, "would lose callbacks"),
        ({"post_execute": print}, "would lose post_execute"),
        ({"extra_links": {"A": "https://h/{node}"}}, "would lose the links that tell where the job ran"),
        ({"deferrable": False}, "needs deferrable=True and wait_for_completion=True"),
        ({"wait_for_completion": False}, "needs deferrable=True and wait_for_completion=True"),
    ],
)
def test_an_end_in_the_triggerer_that_would_lose_something_is_refused(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=f"end_from_trigger {says}"):
        operator(**{"end_from_trigger": True, "deferrable": True, "do_xcom_push": False, **arguments})


def test_a_subclass_that_has_work_after_the_end_cannot_end_in_the_triggerer() -> None:
    class Reporting(ArmadaOperator):
        def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
            return super().execute_complete(context, event)

    with pytest.raises(ValueError, match="would lose what Reporting does after the job's end"):
        Reporting(task_id="work", armada_queue="q", image="i", do_xcom_push=False, end_from_trigger=True)


def test_an_end_in_the_triggerer_that_loses_nothing_passes() -> None:
    operator(end_from_trigger=True, deferrable=True, do_xcom_push=False, on_failure_callback=print, retries=3)


@pytest.mark.parametrize(
    "arguments",
    [
        {"armada_queue": ""},
        {"armada_queue": "{{ params.queue }}"},
        {"queued_timeout": "{{ params.wait }}"},
        {"queued_timeout": timedelta(minutes=5)},
        {"queued_timeout": "300"},
        {"preemption_retries": "3"},
        {"image": None, "pod_spec": "pod.yaml"},
        {"image": None, "armada_queue": "", "job_request": "request.yaml"},
        {"active_deadline_seconds": "{{ params.seconds }}"},
    ],
)
def test_what_is_not_known_yet_passes(arguments: dict[str, Any]) -> None:
    operator(**arguments)


def test_results_of_other_tasks_pass() -> None:
    with DAG("d", schedule=None):

        @task
        def give() -> Any: ...

        made = operator(armada_queue=give(), image=give(), arguments=give(), queued_timeout=give())

    assert made.upstream_task_ids


def test_an_argument_that_does_not_exist_is_refused() -> None:
    with pytest.raises(TypeError, match="imgae"):
        operator(imgae="busybox")


def test_defers_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE", raising=False)
    assert operator().deferrable is True
    assert operator(deferrable=False).deferrable is False

    monkeypatch.setenv("AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE", "false")
    assert operator().deferrable is False
    assert operator(deferrable=True).deferrable is True


def test_every_argument_can_be_mapped_over() -> None:
    with DAG("d", schedule=None) as dag:
        ArmadaOperator.partial(task_id="work", armada_queue="research", image="busybox").expand_kwargs(
            [{"arguments": ["a"], "env_vars": {"A": "1"}, "reattach": "never", "preemption_retries": 1}]
        )

    assert dag.task_dict["work"].is_mapped


def test_a_dag_with_it_can_be_stored() -> None:
    with DAG("d", schedule=None) as dag:
        operator(pod_spec={"containers": [{"name": "base"}]}, queued_timeout=timedelta(hours=1))

    stored = DagSerialization.to_dict(dag)
    again = DagSerialization.from_dict(stored)

    assert again.get_task("work").task_type == "ArmadaOperator"


def test_parsing_twice_gives_the_same_dag() -> None:
    def parse() -> Any:
        with DAG("d", schedule=None) as dag:
            operator(env_vars={"A": "1"}, labels={"b": "2"})
        return DagSerialization.to_dict(dag)

    assert parse() == parse()


def test_only_whole_jobs_may_name_a_file() -> None:
    assert not ArmadaOperator.template_ext


def test_named_links_are_stored_with_the_dag() -> None:
    with DAG("d", schedule=None) as dag:
        operator(extra_links={"Grafana": "https://g/{job_id}", "Logs of {{ ds }}": "https://l/{{ ds }}"})

    again = DagSerialization.from_dict(DagSerialization.to_dict(dag)).get_task("work")

    assert set(again.extra_links) == {"Armada Lookout", "Grafana", "Logs of {{ ds }}"}


def test_callbacks_do_not_keep_a_dag_from_being_stored() -> None:
    with DAG("d", schedule=None) as dag:
        operator(callbacks=JobCallbacks())
        ArmadaOperator.partial(task_id="mapped", **{**SHORT, "callbacks": JobCallbacks()}).expand(arguments=[["a"]])

    DagSerialization.from_dict(DagSerialization.to_dict(dag))


def test_its_link_never_raises() -> None:
    from airflow.sdk.types import TaskInstanceKey  # noqa: F401

    made = operator()
    (link,) = made.operator_extra_links

    assert link.get_link(made, ti_key=None) == ""  # type: ignore[arg-type]

    made.job_url = "http://lookout/jobs/j"
    assert link.get_link(made, ti_key=None) == "http://lookout/jobs/j"  # type: ignore[arg-type]
