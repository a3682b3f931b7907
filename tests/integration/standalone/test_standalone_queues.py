"""Queues, retry policies, and who may do what."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import grpc
import pytest

from airflow_armada.api import methods, submit_pb2
from airflow_armada.standalone.auth import Credentials
from airflow_armada.standalone.server import StandaloneArmada
from tests.integration.standalone.api import JOB_SET, QUEUE, Armada, container, job, kind_of

SERVICES = pytest.mark.parametrize("service", [methods.QueueService, methods.Submit], ids=lambda value: value.__name__)

FAIL = submit_pb2.RETRY_ACTION_FAIL


@SERVICES
def test_a_queue_is_created_read_replaced_and_deleted(armada: Armada, service: type[methods.Submit]) -> None:
    armada.call(service.CREATE_QUEUE, name="new", priority_factor=2.0, group_owners=["staff"], labels={"a": "b"})

    queue = armada.call(service.GET_QUEUE, name="new")
    assert (queue.priority_factor, dict(queue.labels)) == (2.0, {"a": "b"})
    (owners,) = queue.permissions
    assert {(subject.kind, subject.name) for subject in owners.subjects} == {("User", "anonymous"), ("Group", "staff")}
    assert list(owners.verbs) == ["submit", "cancel", "preempt", "reprioritize", "watch"]

    armada.call(service.UPDATE_QUEUE, name="new", priority_factor=3.0)
    assert armada.call(service.GET_QUEUE, name="new").priority_factor == 3.0

    armada.call(service.DELETE_QUEUE, name="new")
    assert armada.refused(service.GET_QUEUE, name="new")[0] == grpc.StatusCode.NOT_FOUND


@SERVICES
def test_queues_are_listed_by_name_and_closed_by_a_marker(armada: Armada, service: type[methods.Submit]) -> None:
    for name in ("c", "a", "b"):
        armada.call(service.CREATE_QUEUE, name=name, priority_factor=1.0)

    *queues, end = armada.call(service.GET_QUEUES)
    assert [message.queue.name for message in queues] == ["a", "b", "c", QUEUE]
    assert end.WhichOneof("event") == "end"
    *queues, _ = armada.call(service.GET_QUEUES, num=2)
    assert [message.queue.name for message in queues] == ["a", "b"]


def test_creating_and_updating_both_replace(armada: Armada) -> None:
    armada.call(methods.QueueService.UPDATE_QUEUE, name="fresh", priority_factor=1.0)
    armada.call(methods.QueueService.CREATE_QUEUE, name="fresh", priority_factor=5.0)

    assert armada.call(methods.QueueService.GET_QUEUE, name="fresh").priority_factor == 5.0


def test_deleting_a_queue_that_does_not_exist_is_fine(armada: Armada) -> None:
    armada.call(methods.QueueService.DELETE_QUEUE, name="unheard-of")


@pytest.mark.parametrize(
    "fields",
    [
        {"priority_factor": 0.5},
        {"priority_factor": 0.0},
        {"priority_factor": 1.0, "permissions": [{"subjects": [{"kind": "Robot", "name": "x"}]}]},
        {"priority_factor": 1.0, "labels": {"key": ""}},
        {"priority_factor": 1.0, "retry_policies": ["unheard-of"]},
    ],
    ids=["factor below 1", "no factor", "subject kind", "empty label", "unknown retry policy"],
)
def test_a_queue_that_breaks_a_rule_is_refused(armada: Armada, fields: dict[str, object]) -> None:
    code, _ = armada.refused(methods.QueueService.CREATE_QUEUE, name="bad", **fields)
    assert code == grpc.StatusCode.INVALID_ARGUMENT

    answer = armada.call(methods.QueueService.CREATE_QUEUES, queues=[{"name": "bad", **fields}, _good("good")])
    (failed,) = answer.failed_queues
    assert failed.queue.name == "bad"
    assert failed.error.startswith("rpc error: code = InvalidArgument desc = ")
    assert armada.call(methods.QueueService.GET_QUEUE, name="good").name == "good"


def _good(name: str) -> dict[str, object]:
    return {"name": name, "priority_factor": 1.0}


@pytest.mark.parametrize(
    "method", [methods.QueueService.CORDON_QUEUE, methods.QueueService.UNCORDON_QUEUE], ids=lambda value: value.name
)
def test_only_an_existing_queue_is_cordoned(armada: Armada, method: object) -> None:
    for name in ("", "unheard-of"):
        assert armada.refused(method, name=name)[0] == grpc.StatusCode.UNKNOWN


def test_all_jobs_of_a_queue_are_cancelled_by_state(armada: Armada) -> None:
    (job_id,) = armada.submit(job(container("sleep", "1000")))
    armada.events_until(job_id, "running")

    armada.call(methods.QueueService.CANCEL_ON_QUEUE, name=QUEUE)
    armada.call(methods.QueueService.CANCEL_ON_QUEUE, name=QUEUE, jobStates=[submit_pb2.RUNNING])

    assert armada.kinds_until(job_id)[-2:] == ["running", "cancelled"]
    code, _ = armada.refused(methods.QueueService.CANCEL_ON_QUEUE, name=QUEUE, jobStates=[submit_pb2.FAILED])
    assert code == grpc.StatusCode.UNKNOWN


def test_all_jobs_of_a_queue_are_preempted_by_class(armada: Armada) -> None:
    ids = armada.submit(
        job(container("sleep", "1000"), pod={"priorityClassName": "armada-preemptible"}),
        job(container("sleep", "1000")),
    )
    for job_id in ids:
        armada.events_until(job_id, "running")

    armada.call(methods.QueueService.PREEMPT_ON_QUEUE, name=QUEUE, priorityClasses=["armada-preemptible"])

    assert armada.kinds_until(ids[0])[-2:] == ["preempted", "failed"]
    assert armada.state(ids[1]) == "RUNNING"


def test_retry_policies_are_kept_and_detached_when_deleted(armada: Armada) -> None:
    calls = methods.RetryPolicyService
    armada.call(calls.CREATE_RETRY_POLICY, name="patient", retry_limit=3, default_action=FAIL)
    armada.call(methods.QueueService.CREATE_QUEUE, name="q", priority_factor=1.0, retry_policies=["patient"])
    armada.call(calls.UPDATE_RETRY_POLICY, name="patient", retry_limit=4, default_action=FAIL)

    assert armada.call(calls.GET_RETRY_POLICY, name="patient").retry_limit == 4
    assert [policy.name for policy in armada.call(calls.GET_RETRY_POLICIES).retry_policies] == ["patient"]

    armada.call(calls.DELETE_RETRY_POLICY, name="patient")
    assert list(armada.call(methods.QueueService.GET_QUEUE, name="q").retry_policies) == []
    assert armada.refused(calls.GET_RETRY_POLICY, name="patient")[0] == grpc.StatusCode.NOT_FOUND
    gone = armada.refused(calls.UPDATE_RETRY_POLICY, name="patient", default_action=FAIL)
    assert gone[0] == grpc.StatusCode.NOT_FOUND


def test_a_retry_policy_has_an_action_by_default_and_for_each_rule(armada: Armada) -> None:
    retry = submit_pb2.RETRY_ACTION_RETRY
    for fields in (
        {"name": "patient"},
        {"name": "patient", "default_action": FAIL, "rules": [submit_pb2.RetryRule(on_category="oom")]},
        {"name": "patient", "default_action": FAIL, "rules": [submit_pb2.RetryRule(action=retry)]},
        {"name": "Patient", "default_action": FAIL},
        {"default_action": FAIL},
    ):
        code, text = armada.refused(methods.RetryPolicyService.CREATE_RETRY_POLICY, **fields)
        assert code == grpc.StatusCode.INVALID_ARGUMENT
        assert text.startswith("invalid retry policy: ")


@pytest.fixture
def guarded() -> Iterator[StandaloneArmada]:
    """A server for an administrator, for anna with a password, and for berta with a token."""
    credentials = Credentials(
        users={"admin": "secret", "anna": "a:b"},
        tokens={"tok": "berta"},
        groups={"berta": ["staff"]},
        permissions={"admin": ["create_queue", "watch_all_events"]},
    )
    with StandaloneArmada(credentials=credentials) as server:
        permissions = [
            {"subjects": [{"kind": "User", "name": "anna"}], "verbs": ["submit", "cancel"]},
            {"subjects": [{"kind": "Group", "name": "staff"}], "verbs": ["watch"]},
        ]
        server.create_queue(QUEUE, permissions=permissions)
        yield server


def basic(server: StandaloneArmada, user: str, password: str) -> Armada:
    """Return calls with a password."""
    encoded = base64.b64encode(f"{user}:{password}".encode()).decode()
    return Armada(server.target, [("authorization", f"Basic {encoded}")])


def bearer(server: StandaloneArmada, token: str) -> Armada:
    """Return calls with a token."""
    return Armada(server.target, [("authorization", f"Bearer {token}")])


@pytest.mark.parametrize(
    "authorization", ["", "Bearer wrong", "Basic d3Jvbmc=", "Basic !", "Basic YW5uYTp3cm9uZw==", "Kerberos x"]
)
def test_callers_without_valid_credentials_are_not_let_in(guarded: StandaloneArmada, authorization: str) -> None:
    stranger = Armada(guarded.target, [("authorization", authorization)] if authorization else [])

    for method in (methods.Submit.HEALTH, methods.Jobs.GET_JOB_STATUS, methods.Event.GET_JOB_SET_EVENTS):
        assert stranger.refused(method)[0] == grpc.StatusCode.UNAUTHENTICATED


def test_a_password_or_a_token_lets_in(guarded: StandaloneArmada) -> None:
    for armada in (basic(guarded, "anna", "a:b"), bearer(guarded, "tok")):
        assert armada.call(methods.Submit.HEALTH).status == 1
        assert armada.call(methods.Event.HEALTH).status == 1


def test_permissions_on_a_queue_are_by_user_and_group(guarded: StandaloneArmada) -> None:
    anna, berta = basic(guarded, "anna", "a:b"), bearer(guarded, "tok")

    (job_id,) = anna.submit(job(container("true")))
    assert kind_of(berta.end_of(job_id)) == "succeeded"
    assert berta.state(job_id) == "SUCCEEDED"

    code, text = berta.refused(methods.Submit.SUBMIT_JOBS, queue=QUEUE, job_set_id=JOB_SET)
    assert code == grpc.StatusCode.PERMISSION_DENIED
    assert "berta lacks permission submit" in text
    code, text = anna.refused(methods.Event.GET_JOB_SET_EVENTS, queue=QUEUE, id=JOB_SET)
    assert code == grpc.StatusCode.PERMISSION_DENIED
    assert "anna lacks permission watch" in text


def test_steering_without_permission_has_no_code_of_its_own(guarded: StandaloneArmada) -> None:
    berta = bearer(guarded, "tok")

    for method in (methods.Submit.CANCEL_JOBS, methods.Submit.PREEMPT_JOBS, methods.Submit.REPRIORITIZE_JOBS):
        code, text = berta.refused(method, queue=QUEUE, job_set_id=JOB_SET, job_ids=["x"])
        assert code == grpc.StatusCode.UNKNOWN
        assert "lacks permission" in text


def test_managing_queues_needs_global_permissions(guarded: StandaloneArmada) -> None:
    basic(guarded, "admin", "secret").call(methods.QueueService.CREATE_QUEUE, name="new", priority_factor=1.0)
    berta = bearer(guarded, "tok")

    calls = methods.QueueService
    for method in (calls.CREATE_QUEUE, calls.UPDATE_QUEUE, calls.DELETE_QUEUE, calls.CORDON_QUEUE):
        assert berta.refused(method, name="new")[0] == grpc.StatusCode.PERMISSION_DENIED
    assert berta.call(calls.GET_QUEUE, name="new").name == "new"


def test_tokens_come_and_go_while_the_server_runs(guarded: StandaloneArmada) -> None:
    guarded.authenticator.add_token("short", "clara")
    assert bearer(guarded, "short").call(methods.Submit.HEALTH).status == 1

    guarded.authenticator.expire_token("short")

    code, text = bearer(guarded, "short").refused(methods.Submit.HEALTH)
    assert (code, "expired" in text) == (grpc.StatusCode.UNAUTHENTICATED, True)
