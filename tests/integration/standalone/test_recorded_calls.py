"""The calls that were made to the real control plane, made again to the embedded Armada: it answers alike.

``tests/recorded/requests.json`` holds the requests in their order, ``calls.json`` what the real one answered.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict, ParseDict

from airflow_armada.api import methods
from airflow_armada.api.methods import SERVICES, methods_of
from airflow_armada.standalone.server import StandaloneArmada
from tests.integration.standalone.api import Armada, container, job, wait_until

RECORDED = Path(__file__).parents[2] / "recorded"
REQUESTS: dict[str, dict[str, Any]] = json.loads((RECORDED / "requests.json").read_text("utf-8"))
ANSWERS: dict[str, dict[str, Any]] = json.loads((RECORDED / "calls.json").read_text("utf-8"))
METHODS = {method.path: method for entries in SERVICES.values() for method in methods_of(entries)}
QUEUE, JOB_SET = "dq", "djs-0c10be"

REPORTS = ("queue report", "queue report v2", "sched report")
"""Calls whose answer is a report: its numbers and times are of the day, so its rows are compared."""

ACTIVE = "active queues"

ELSEWHERE = {
    "submit: oversize pod": "its request is large: test_submit_rules",
    "submit: 5 MB request": "the same, below",
    "submit: 3000 jobs": "the same, below",
    "dup ids equal": "what the answers to others say of each other, below",
    "dup in one": "the same",
    "dup in one: which is remembered": "the same",
    "dup across queues differs": "test_standalone_submit",
    "resume is exact": "test_standalone_streams",
    "message ids": "test_event_log",
    "legacy resume": "test_standalone_streams",
    "unknown method": "it is no call of the API, below",
    "unknown service": "the same",
    "garbage bytes": "the same",
    "grpc health": "the same",
    "api.Executor/DeleteExecutor": "its request is empty, below",
    "api.Node/CancelOnNode": "the same",
}
"""What was recorded without a request of its own, why, and where it is tested."""

IDS = re.compile(r'01[0-9a-hjkmnp-tv-z]{24}|(?<=x-request-id: ")[^"]+')


@pytest.fixture(scope="module")
def armada() -> Iterator[Armada]:
    with StandaloneArmada(cpus=16, memory="64Gi") as server:
        # What other recordings had left there when these calls were made.
        for name in ("seq", "seqb", "seqcord"):
            server.create_queue(name, user_owners=["anonymous"])
        running = Armada(server.target)
        running.submit(job(container("sleep", "1000")), queue="seq", job_set="other")
        yield running


@contextmanager
def running_job(armada: Armada) -> Iterator[None]:
    """Let a job run in the queue: those of the calls before are short, and on the real one they were still there."""
    (job_id,) = armada.submit(job(container("sleep", "1000")), queue=QUEUE, job_set="other")
    wait_until(lambda: armada.state(job_id) == "RUNNING")
    yield
    armada.call(methods.Submit.CANCEL_JOBS, queue=QUEUE, job_set_id="other", job_id=job_id)


@pytest.fixture(scope="module")
def answers(armada: Armada) -> dict[str, dict[str, Any]]:
    """What the embedded server answers to all of them, in their order."""
    found = {}
    for label, call in REQUESTS.items():
        method = METHODS[call["method"]]
        with running_job(armada) if label == ACTIVE else nullcontext():
            found[label] = outcome(armada, method, ParseDict(call["request"], method.request()))
    return found


def outcome(armada: Armada, method: Any, request: Any) -> dict[str, Any]:
    """Make a call and return how it ends, as the recording tells it."""
    try:
        answer = method.bind(armada.channel)(request, timeout=60, metadata=armada.metadata)
        if method.streaming:
            return {"code": "OK", "answer": [plain(message) for message in answer]}
        return {"code": "OK", "answer": plain(answer)}
    except grpc.RpcError as error:
        return {"code": error.code().name, "answer": error.details()}


def plain(message: Any) -> dict[str, Any]:
    return MessageToDict(message, preserving_proto_field_name=True)


def comparable(label: str, found: dict[str, Any]) -> Any:
    """Leave out of an answer what differs from day to day: ids, and of a stream all but its first two events."""
    if label.startswith("from ") and found["code"] == "OK":
        kinds = [one if isinstance(one, str) else next(iter(one["message"])) for one in found["answer"]]
        found = {**found, "answer": kinds[:2]}
    if label in REPORTS:
        return rows(found["answer"]["report"])
    return replaced(found)


def rows(report: str) -> list[tuple[str, int]]:
    """Return the titles of a report's rows, and where their values begin, without rows that only some rounds have."""
    found = (re.match(r"( *)([^:]+:)( *)", line) for line in report.splitlines())
    titles = [(match[1] + match[2], match.end() if match[3] else 0) for match in found if match]
    some = r" +(\d|Total allocated resources after scheduling by|(Scheduled|Preempted|Unschedulable) jobs:)"
    return [(title, begin) for title, begin in titles if not re.match(some, title)]


def replaced(value: Any) -> Any:
    """Return an answer with its ids replaced."""
    if isinstance(value, str):
        return IDS.sub("ID", value)
    if isinstance(value, list):
        return [replaced(item) for item in value]
    if isinstance(value, dict):
        return {replaced(key): replaced(item) for key, item in value.items()}
    return value


@pytest.mark.parametrize("label", REQUESTS)
def test_the_call_is_answered_as_by_the_real_one(label: str, answers: dict[str, dict[str, Any]]) -> None:
    ours, real = comparable(label, answers[label]), comparable(label, ANSWERS[label])

    assert ours == real


def test_every_recorded_call_is_made_or_looked_at_elsewhere() -> None:
    assert ANSWERS.keys() - REQUESTS.keys() == ELSEWHERE.keys()


def test_client_ids_stand_for_jobs_as_on_the_real_one(answers: dict[str, dict[str, Any]]) -> None:
    def ids(label: str) -> list[str]:
        return [item["job_id"] for item in answers[f"submit: {label}"]["answer"]["job_response_items"]]

    first = ids("client id first")
    twice = ids("client id twice in one request")

    assert ids("client id again") == ids("client id again in another job set") == first
    assert twice[0] != twice[1]
    assert ids("dup again after twice in one") == twice[1:]


def test_three_thousand_jobs_at_once_are_taken_and_five_megabytes_are_not(
    armada: Armada, answers: dict[str, dict[str, Any]]
) -> None:
    some = [job(container("true"), pod={"nodeSelector": {"never": "x"}}) for _ in range(3000)]
    assert len(armada.submit(*some, queue=QUEUE, job_set=f"{JOB_SET}huge")) == ANSWERS["submit: 3000 jobs"]["answer"]

    large = [job(container("true", "y" * 50_000)) for _ in range(100)]
    code, text = armada.refused(
        methods.Submit.SUBMIT_JOBS, queue=QUEUE, job_set_id=f"{JOB_SET}big", job_request_items=large
    )

    # The words are those of the gRPC library, grpc-go there and its core here.
    assert code.name == ANSWERS["submit: 5 MB request"]["code"]
    assert "eceived message larger than max (" in text
    assert "vs. 4194304)" in text


@pytest.mark.parametrize(
    ("label", "path", "content"),
    [
        ("unknown method", "/api.Submit/Nope", b""),
        ("unknown service", "/nope.Nope/Nope", b""),
        ("grpc health", "/grpc.health.v1.Health/Check", b""),
        ("garbage bytes", "/api.Submit/SubmitJobs", b"\xff\xff\xff"),
    ],
)
def test_what_is_no_call_is_refused_as_by_the_real_one(armada: Armada, label: str, path: str, content: bytes) -> None:
    call = armada.channel.unary_unary(path, request_serializer=bytes, response_deserializer=bytes)
    with pytest.raises(grpc.RpcError) as refused:
        call(content, timeout=20, metadata=armada.metadata)

    assert refused.value.code().name == ANSWERS[label]["code"]
    assert refused.value.details().startswith(ANSWERS[label]["answer"].removesuffix("unexpected EOF"))


@pytest.mark.parametrize(
    ("label", "method"),
    [
        ("api.Executor/DeleteExecutor", methods.Executor.DELETE_EXECUTOR),
        ("api.Node/CancelOnNode", methods.Node.CANCEL_ON_NODE),
    ],
)
def test_executors_and_nodes_have_to_be_named(armada: Armada, label: str, method: Any) -> None:
    found = outcome(armada, method, method.request())

    assert comparable(label, found) == comparable(label, ANSWERS[label])
