"""What each call sends, and the mistakes that it stops before they reach the server."""

from __future__ import annotations

import inspect
import logging
from enum import Enum
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_armada.api import core_v1_pb2, submit_pb2
from airflow_armada.api.annotations import EXTERNAL_JOB_URI
from airflow_armada.client.calls import executors, jobs, queries, queues, retry_policies
from airflow_armada.client.calls.call import Call
from airflow_armada.client.permissions import Permissions, Subject
from airflow_armada.client.requests import RequestBuilders
from airflow_armada.client.typings import JobState


def only_request(call: Call[Any]) -> Any:
    (request,) = call.requests
    return request


def item(**fields: Any) -> submit_pb2.JobSubmitRequestItem:
    return submit_pb2.JobSubmitRequestItem(**fields)


NOT_REPEATED = {
    "submit_jobs": "it would make a second job",
    "cancel_jobs": "without an id, as here, it is cancel_jobset",
    "cancel_jobset": "it would cancel what was submitted in between",
    "preempt_jobs": "it would preempt a job that Armada has run again",
    "cancel_on_queue": "it would cancel what was submitted in between",
    "preempt_on_queue": "it would preempt what began to run in between",
    **dict.fromkeys(
        ("cancel_on_executor", "preempt_on_executor", "cancel_on_node", "preempt_on_node"),
        "it would hit what began to run in between",
    ),
    "delete_executor": "it would make an executor forgotten that has come back",
    "delete_executor_settings": "it would delete settings that were made in between",
    "delete_queue": "it would delete a queue that was made in between",
    "delete_retry_policy": "it would delete a policy that was made in between",
}
"""The calls of which a lost answer is not asked for again, and what a repetition would do."""

COMMANDS = {"submit_jobs", "cancel_jobs", "cancel_jobset", "preempt_jobs", "reprioritize_jobs"} | {
    "cancel_on_queue",
    "preempt_on_queue",
    "cancel_on_executor",
    "preempt_on_executor",
    "cancel_on_node",
    "preempt_on_node",
    "delete_executor",
    "delete_executor_settings",
    "upsert_executor_settings",
}


def described() -> dict[str, Call[Any]]:
    """Make the call of every description, with arguments for its parameters."""
    known: dict[str, Any] = {"job_request_items": [item(client_id="a")], "filter_states": [], "job_states": [0]}
    known |= {
        "job_ids": ["a"],
        "run_ids": ["a"],
        "new_priority": 1.0,
        "queues": ["q"],
        "cordoned": False,
        "retry_policy": {"name": "r"},
    }
    calls = {}
    for module in (executors, jobs, queries, queues, retry_policies):
        for name, function in vars(module).items():
            if name.endswith("_call") and function.__module__ == module.__name__:
                named = {"queue": {"name": "q"}} if "_queue_call" in name else {}
                named |= {"queues": [{"name": "q"}]} if "_queues_call" in name else {}
                values = known | named
                needed = [p.name for p in inspect.signature(function).parameters.values() if p.default is p.empty]
                calls[name.removesuffix("_call")] = function(**{one: values.get(one, "x") for one in needed})
    return calls


def test_only_what_says_so_is_repeated_after_a_lost_answer() -> None:
    assert {name for name, call in described().items() if not call.repeatable} == NOT_REPEATED.keys()


def test_what_is_answered_through_the_message_bus_has_the_long_deadline() -> None:
    assert {name for name, call in described().items() if call.command} == COMMANDS


def test_commands_that_name_their_jobs_are_repeated_and_those_for_a_whole_job_set_are_not() -> None:
    assert jobs.cancel_jobs_call("q", "s", "a").repeatable
    assert not jobs.reprioritize_jobs_call(1.0, None, "s", "q").repeatable


def test_large_submits_are_divided_below_the_limit_of_the_server() -> None:
    items = [item(client_id=str(number), annotations={"filler": "x" * 60_000}) for number in range(200)]

    call = jobs.submit_jobs_call("q", "s", items)

    assert len(call.requests) == 4
    assert all(request.ByteSize() < 4 * 1024 * 1024 for request in call.requests)
    assert [one.client_id for request in call.requests for one in request.job_request_items] == [  # type: ignore[attr-defined]
        str(number) for number in range(200)
    ]
    assert {(request.queue, request.job_set_id) for request in call.requests} == {("q", "s")}  # type: ignore[attr-defined]


def test_answers_of_a_divided_submit_are_joined_in_order() -> None:
    answers = [
        submit_pb2.JobSubmitResponse(job_response_items=[submit_pb2.JobSubmitResponseItem(job_id=job_id)])
        for job_id in "abc"
    ]

    joined = jobs.submit_jobs_call("q", "s", []).merge(answers)

    assert [one.job_id for one in joined.job_response_items] == ["a", "b", "c"]


def test_a_submit_of_nothing_asks_nothing() -> None:
    call = jobs.submit_jobs_call("q", "s", [])

    assert call.requests == ()
    assert call.merge([]) == submit_pb2.JobSubmitResponse()


def test_cancelling_by_id_names_exactly_those_ids() -> None:
    request = only_request(jobs.cancel_jobs_call("q", "s", "a", job_ids=["b", "a", "c"], reason="why"))

    assert list(request.job_ids) == ["a", "b", "c"]
    assert (request.queue, request.job_set_id, request.job_id, request.reason) == ("q", "s", "", "why")


@pytest.mark.parametrize("ids", [{"job_id": ""}, {"job_ids": []}, {"job_ids": ["a", ""]}, {"job_ids": iter(())}])
def test_an_empty_id_or_list_never_cancels_a_job_set(ids: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="job id"):
        jobs.cancel_jobs_call("q", "s", **ids)


def test_cancelling_without_any_id_cancels_the_job_set_and_warns(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        call = jobs.cancel_jobs_call("q", "s")

    assert call.method.name == "CancelJobSet"
    assert "whole job set s" in caplog.text
    assert call.merge([None]) == submit_pb2.CancellationResult()


def test_a_string_is_not_a_list_of_ids() -> None:
    with pytest.raises(TypeError, match="job_ids must be a list"):
        jobs.cancel_jobs_call("q", "s", job_ids="01abc")
    with pytest.raises(TypeError, match="list of ids"):
        queries.get_job_status_call("01abc")


@pytest.mark.parametrize("call", [jobs.cancel_jobs_call, jobs.cancel_jobset_call, jobs.preempt_jobs_call])
@pytest.mark.parametrize(("queue", "job_set_id"), [("", "s"), ("q", "")])
def test_queue_and_job_set_are_needed(call: Any, queue: str, job_set_id: str) -> None:
    with pytest.raises(ValueError, match="must not be empty"):
        call(queue, job_set_id, [] if call is jobs.cancel_jobset_call else "a")


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ([], []),
        ([JobState.QUEUED], ["QUEUED"]),
        ([JobState.PENDING], ["PENDING", "RUNNING"]),
        ([JobState.RUNNING], ["PENDING", "RUNNING"]),
        ([JobState.RUNNING, JobState.QUEUED], ["QUEUED", "PENDING", "RUNNING"]),
    ],
)
def test_pending_and_running_are_cancelled_together(given: list[JobState], sent: list[str]) -> None:
    request = only_request(jobs.cancel_jobset_call("q", "s", given))

    assert [submit_pb2.JobState.Name(state) for state in request.filter.states] == sent


@pytest.mark.parametrize("state", [s for s in JobState if s.name not in ("QUEUED", "PENDING", "RUNNING")])
def test_states_that_the_server_would_take_for_queued_are_refused(state: JobState) -> None:
    with pytest.raises(ValueError, match=state.name):
        jobs.cancel_jobset_call("q", "s", [state])


def test_states_of_another_package_are_understood() -> None:
    class JobState(Enum):
        QUEUED = 0

    assert list(only_request(jobs.cancel_jobset_call("q", "s", [JobState.QUEUED])).filter.states) == [0]


@pytest.mark.parametrize("reason", ["x" * 51, "é" * 26])
def test_a_reason_is_at_most_50_bytes(reason: str) -> None:
    for make in (
        lambda: jobs.cancel_jobs_call("q", "s", "a", reason=reason),
        lambda: jobs.cancel_jobset_call("q", "s", [], reason=reason),
        lambda: jobs.preempt_jobs_call("q", "s", "a", reason=reason),
    ):
        with pytest.raises(ValueError, match="50 bytes"):
            make()


def test_preempting_needs_an_id() -> None:
    assert list(only_request(jobs.preempt_jobs_call("q", "s", "a", job_ids=["b"])).job_ids) == ["a", "b"]
    assert list(only_request(jobs.preempt_jobs_call("q", "s", None, job_ids=["b"])).job_ids) == ["b"]
    with pytest.raises(ValueError, match="job id"):
        jobs.preempt_jobs_call("q", "s", None)


@pytest.mark.parametrize("job_ids", [None, []])
def test_reprioritizing_without_ids_means_the_job_set(job_ids: list[str] | None) -> None:
    request = only_request(jobs.reprioritize_jobs_call(2.0, job_ids, "s", "q"))

    assert (list(request.job_ids), request.new_priority, request.queue, request.job_set_id) == ([], 2.0, "q", "s")


@pytest.mark.parametrize(
    ("describe", "field"),
    [
        (queries.get_job_status_call, "job_ids"),
        (queries.get_job_errors_call, "job_ids"),
        (queries.get_job_details_call, "job_ids"),
        (queries.get_job_run_details_call, "run_ids"),
    ],
)
def test_queries_ask_for_at_most_500_ids_at_a_time_and_for_each_once(describe: Any, field: str) -> None:
    ids = [f"id-{number}" for number in range(1201)]

    call = describe([*ids, *ids])

    assert [len(getattr(request, field)) for request in call.requests] == [500, 500, 201]
    assert [one for request in call.requests for one in getattr(request, field)] == ids


def test_details_come_with_runs_and_without_the_spec_unless_asked_for() -> None:
    request = only_request(queries.get_job_details_call(["a"]))
    asked = only_request(queries.get_job_details_call(["a"], expand_job_spec=True, expand_job_run=False))

    assert (request.expand_job_run, request.expand_job_spec) == (True, False)
    assert (asked.expand_job_run, asked.expand_job_spec) == (False, True)


def test_a_scheduling_report_is_for_one_thing() -> None:
    assert only_request(queries.get_scheduling_report_call(queue="q")).most_recent_for_queue.queue_name == "q"
    assert only_request(queries.get_scheduling_report_call(job_id="j")).most_recent_for_job.job_id == "j"
    with pytest.raises(ValueError, match="not for both"):
        queries.get_scheduling_report_call(queue="q", job_id="j")


@pytest.mark.parametrize("states", [[], [JobState.FAILED]])
def test_cancelling_on_a_queue_needs_states_that_can_be_cancelled(states: list[JobState]) -> None:
    with pytest.raises(ValueError, match="QUEUED, LEASED, PENDING and RUNNING"):
        queues.cancel_on_queue_call("q", states)


def test_cancelling_on_a_queue_sends_its_states() -> None:
    request = only_request(queues.cancel_on_queue_call("q", [JobState.LEASED, JobState.QUEUED], pools=["p"]))

    assert (list(request.jobStates), list(request.pools)) == ([7, 0], ["p"])


def test_a_queue_needs_a_name() -> None:
    for make in (
        lambda: queues.create_queue_call(submit_pb2.Queue()),
        lambda: queues.update_queues_call([submit_pb2.Queue()]),
        lambda: queues.get_queue_call(""),
        lambda: queues.cordon_queue_call(""),
        lambda: queues.delete_queue_call(""),
    ):
        with pytest.raises(ValueError, match="name of a queue"):
            make()


def test_a_queue_message_holds_what_was_asked_for() -> None:
    permissions = Permissions(subjects=[Subject("Group", "team")], verbs=["submit", "watch"])

    queue = RequestBuilders.create_queue_request(
        "q", None, user_owners=["me"], permissions=[permissions], cordoned=True, labels={"a": "b"}, retry_policies=["r"]
    )

    assert (queue.name, queue.priority_factor, list(queue.user_owners)) == ("q", 1.0, ["me"])
    assert (queue.cordoned, dict(queue.labels), list(queue.retry_policies)) == (True, {"a": "b"}, ["r"])
    assert [(one.subjects[0].kind, one.subjects[0].name, list(one.verbs)) for one in queue.permissions] == [
        ("Group", "team", ["submit", "watch"])
    ]


def test_an_item_has_a_namespace_because_the_server_insists_on_one() -> None:
    assert RequestBuilders.create_job_request_item().namespace == "default"
    assert RequestBuilders.create_job_request_item(namespace="team").namespace == "team"


def test_an_external_uri_is_where_old_and_new_servers_look_for_it() -> None:
    made = RequestBuilders.create_job_request_item(external_job_uri="airflow://x", annotations={"a": "b"})

    assert made.external_job_uri == "airflow://x"
    assert dict(made.annotations) == {"a": "b", EXTERNAL_JOB_URI: "airflow://x"}


def test_an_item_takes_one_kind_of_pod_spec() -> None:
    pod = core_v1_pb2.PodSpec()

    with pytest.raises(ValueError, match="only one of"):
        RequestBuilders.create_job_request_item(pod_spec=pod, pod_specs=[pod])


def test_messages_of_another_package_are_taken_over_by_their_full_name() -> None:
    ours = core_v1_pb2.PodSpec(priorityClassName="armada-default")
    foreign = SimpleNamespace(DESCRIPTOR=core_v1_pb2.PodSpec.DESCRIPTOR, SerializeToString=ours.SerializeToString)

    made = RequestBuilders.create_job_request_item(pod_spec=foreign)  # type: ignore[arg-type]

    assert made.pod_spec == ours


@pytest.mark.parametrize("wrong", [submit_pb2.Queue(), "text", 3])
def test_something_else_is_refused_by_name(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"k8s\.io\.api\.core\.v1\.PodSpec"):
        RequestBuilders.create_job_request_item(pod_spec=wrong)


def test_jobs_on_an_executor_or_a_node_are_named_by_their_queues() -> None:
    on_executor = only_request(executors.cancel_on_executor_call("e", ["q"], priority_classes=["p"], pools=["gpu"]))
    on_node = only_request(executors.preempt_on_node_call("n", "e", ["q"], priority_classes=["p"]))

    assert (on_executor.name, list(on_executor.queues), list(on_executor.priorityClasses), list(on_executor.pools)) == (
        "e",
        ["q"],
        ["p"],
        ["gpu"],
    )
    assert (on_node.name, on_node.executor, list(on_node.queues), list(on_node.priorityClasses)) == (
        "n",
        "e",
        ["q"],
        ["p"],
    )


@pytest.mark.parametrize(
    "call",
    [
        lambda: executors.preempt_on_executor_call("e", []),
        lambda: executors.cancel_on_executor_call("", ["q"]),
        lambda: executors.cancel_on_node_call("n", "", ["q"]),
        lambda: executors.upsert_executor_settings_call("e", cordoned=True),
        lambda: executors.delete_executor_call(""),
    ],
)
def test_what_the_server_would_refuse_or_do_nothing_with_is_a_mistake_at_once(call: Any) -> None:
    with pytest.raises(ValueError, match=r"must"):
        call()


def test_a_string_is_no_list_of_queues() -> None:
    with pytest.raises(TypeError, match="list of queues"):
        executors.cancel_on_node_call("n", "e", "q")
