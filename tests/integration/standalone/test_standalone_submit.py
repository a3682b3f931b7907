"""Submitting: what is refused, what is changed, what is recognised."""

from __future__ import annotations

import grpc
import pytest

from airflow_armada.api import methods
from airflow_armada.standalone.server import StandaloneArmada
from tests.integration.standalone.api import JOB_SET, QUEUE, Armada, container, job, shell

SUBMIT = methods.Submit.SUBMIT_JOBS


def test_a_broken_rule_refuses_the_whole_request(armada: Armada) -> None:
    code, text = armada.refused(
        SUBMIT,
        queue=QUEUE,
        job_set_id=JOB_SET,
        job_request_items=[job(container("true")), job(container("true"), namespace="")],
    )

    assert (code, text) == (grpc.StatusCode.INVALID_ARGUMENT, "namespace is a required field")
    assert armada.replay() == []


def test_an_unknown_queue_is_a_matter_of_permission(armada: Armada) -> None:
    code, text = armada.refused(SUBMIT, queue="unheard-of", job_set_id=JOB_SET)

    assert (code, text) == (grpc.StatusCode.PERMISSION_DENIED, 'could not find queue "unheard-of"')


def test_no_jobs_are_fine(armada: Armada) -> None:
    assert armada.submit() == []


def test_a_request_of_more_than_four_mebibytes_is_refused(armada: Armada) -> None:
    large = shell("true", env=[{"name": "PADDING", "value": "x" * 60_000}])

    code, _ = armada.refused(SUBMIT, queue=QUEUE, job_set_id=JOB_SET, job_request_items=[job(large)] * 80)

    assert code == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_defaults_are_filled_in(armada: Armada) -> None:
    (job_id,) = armada.submit(
        job(container("true"), labels={"id": "{JobId}"}, annotations={"kept": "{{JobId}}-{JobId}"}, priority=1.5)
    )

    spec = armada.details(job_id).job_spec

    assert (spec.labels["id"], spec.annotations["kept"]) == (job_id, f"JobId-{job_id}")
    assert (spec.priority, spec.owner) == (2, "anonymous")
    pod = spec.pod_spec
    assert (pod.priorityClassName, pod.activeDeadlineSeconds) == ("armada-default", 72 * 3600)
    assert pod.terminationGracePeriodSeconds == 1
    assert pod.containers[0].resources.limits["ephemeral-storage"].string == "8Gi"
    assert [toleration.key for toleration in pod.tolerations] == [
        "armadaproject.io/armada",
        "armadaproject.io/pc-armada-default",
    ]


def test_a_client_id_makes_one_job_per_queue(server: StandaloneArmada, armada: Armada) -> None:
    server.create_queue("biology")
    once = job(container("true"), client_id="try-1")

    (first,) = armada.submit(once)
    (again,) = armada.submit(once, job_set="another")
    (elsewhere,) = armada.submit(once, queue="biology")

    assert again == first
    assert elsewhere != first
    assert armada.replay("another") == []


def test_a_client_id_that_is_used_twice_in_a_request_makes_two_jobs(armada: Armada) -> None:
    first, second = armada.submit(*[job(container("true"), client_id="try-1")] * 2)

    assert first != second
    assert armada.submit(job(container("true"), client_id="try-1")) == [second]


def test_a_job_is_found_by_its_external_uri(armada: Armada) -> None:
    by_field, by_annotation = armada.submit(
        job(container("true"), external_job_uri="airflow://a"),
        job(container("true"), annotations={"armadaproject.io/externalJobUri": "airflow://b"}),
    )

    def found(uri: str, job_set: str = JOB_SET) -> list[str]:
        answer = armada.call(
            methods.Jobs.GET_JOB_STATUS_USING_EXTERNAL_JOB_URI, queue=QUEUE, jobset=job_set, external_job_uri=uri
        )
        return list(answer.job_states)

    assert found("airflow://a") == [by_field]
    assert found("airflow://b") == [by_annotation]
    assert found("airflow://c") == found("airflow://a", "another") == []


def test_ids_are_lower_case_ulids_in_order(armada: Armada) -> None:
    ids = armada.submit(*[job(container("true", cpu="1")) for _ in range(50)])

    assert ids == sorted(set(ids))
    assert all(len(job_id) == 26 and job_id == job_id.lower() for job_id in ids)


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        (methods.Submit.CANCEL_JOBS, {"job_ids": ["x"]}),
        (methods.Submit.CANCEL_JOB_SET, {}),
        (methods.Submit.PREEMPT_JOBS, {"job_ids": ["x"]}),
        (methods.Submit.REPRIORITIZE_JOBS, {"job_ids": ["x"]}),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
class TestCallsThatSteerJobs:
    """What cancelling, preempting and reprioritizing have in common."""

    def test_an_unknown_queue_has_no_code_of_its_own(
        self, armada: Armada, method: object, fields: dict[str, object]
    ) -> None:
        code, text = armada.refused(method, queue="unheard-of", job_set_id=JOB_SET, **fields)

        assert code == grpc.StatusCode.UNKNOWN
        assert text.endswith('could not find queue "unheard-of"')
        assert text.startswith('[x-request-id: "')

    def test_queue_and_job_set_are_required(self, armada: Armada, method: object, fields: dict[str, object]) -> None:
        for missing in ({"queue": QUEUE}, {"job_set_id": JOB_SET}):
            code, text = armada.refused(method, **missing, **fields)

            assert code == grpc.StatusCode.INVALID_ARGUMENT
            assert "cannot be empty" in text


@pytest.mark.parametrize(
    "method",
    [methods.Submit.CANCEL_JOBS, methods.Submit.CANCEL_JOB_SET, methods.Submit.PREEMPT_JOBS],
    ids=lambda value: value.name,
)
def test_a_reason_has_at_most_fifty_bytes(armada: Armada, method: object) -> None:
    code, text = armada.refused(method, queue=QUEUE, job_set_id=JOB_SET, reason="é" * 26)

    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert "reason cannot be longer than 50 bytes" in text


def test_pending_and_running_are_cancelled_together_only(armada: Armada) -> None:
    code, text = armada.refused(
        methods.Submit.CANCEL_JOB_SET, queue=QUEUE, job_set_id=JOB_SET, filter={"states": ["RUNNING"]}
    )

    assert (code, "must always be used together" in text) == (grpc.StatusCode.UNKNOWN, True)


def test_the_callers_request_id_is_kept(server: StandaloneArmada) -> None:
    armada = Armada(server.target, [*server.metadata, ("x-request-id", "mine")])

    _, text = armada.refused(methods.Submit.PREEMPT_JOBS, queue="unheard-of", job_set_id=JOB_SET)

    assert text == '[x-request-id: "mine"] could not find queue "unheard-of"'
