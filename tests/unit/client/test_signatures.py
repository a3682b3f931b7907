"""The names, parameters and defaults of `armada-client` 0.5.1 are those of both clients here."""

from __future__ import annotations

import inspect
from datetime import timedelta
from typing import Any

import pytest

from airflow_armada.client import log_client
from airflow_armada.client.asyncio_client import ArmadaAsyncIOClient
from airflow_armada.client.calls import executors, jobs, queries, queues, retry_policies
from airflow_armada.client.client import ArmadaClient
from airflow_armada.client.event import Event
from airflow_armada.client.permissions import Permissions, Subject

REQUIRED = inspect.Parameter.empty
ITEM = ("pod_spec", "pod_specs", "namespace", "client_id", "labels", "annotations", "required_node_labels")

PUBLISHED: dict[str, dict[str, Any]] = {
    "__init__": {"channel": REQUIRED, "event_timeout": timedelta(minutes=15)},
    "cancel_jobs": {"queue": REQUIRED, "job_set_id": REQUIRED, "job_id": None},
    "cancel_jobset": {"queue": REQUIRED, "job_set_id": REQUIRED, "filter_states": REQUIRED},
    "create_job_request_item": {"priority": 1.0, **dict.fromkeys((*ITEM, "ingress", "services"))},
    "create_queue": {"queue": REQUIRED},
    "create_queue_request": {
        "name": REQUIRED,
        "priority_factor": REQUIRED,
        **dict.fromkeys(("user_owners", "group_owners", "resource_limits", "permissions")),
    },
    "create_queues": {"queues": REQUIRED},
    "delete_queue": {"name": REQUIRED},
    "event_health": {},
    "get_job_details": {"job_ids": REQUIRED},
    "get_job_errors": {"job_ids": REQUIRED},
    "get_job_events_stream": {"queue": REQUIRED, "job_set_id": REQUIRED, "from_message_id": None},
    "get_job_run_details": {"run_ids": REQUIRED},
    "get_job_status": {"job_ids": REQUIRED},
    "get_job_status_by_external_job_uri": {"queue": REQUIRED, "job_set_id": REQUIRED, "external_job_uri": REQUIRED},
    "get_queue": {"name": REQUIRED},
    "get_queues": {},
    "preempt_jobs": {"queue": REQUIRED, "job_set_id": REQUIRED, "job_id": REQUIRED},
    "reprioritize_jobs": {"new_priority": REQUIRED, "job_ids": REQUIRED, "job_set_id": REQUIRED, "queue": REQUIRED},
    "submit_health": {},
    "submit_jobs": {"queue": REQUIRED, "job_set_id": REQUIRED, "job_request_items": REQUIRED},
    "unmarshal_event_response": {"event": REQUIRED},
    "unwatch_events": {"event_stream": REQUIRED},
    "update_queue": {"queue": REQUIRED},
    "update_queues": {"queues": REQUIRED},
}
WITHOUT_CALL = {"__init__", "create_job_request_item", "create_queue_request", "unmarshal_event_response"}
CLIENTS = (ArmadaClient, ArmadaAsyncIOClient)


def parameters(function: Any) -> dict[str, inspect.Parameter]:
    return {name: p for name, p in inspect.signature(function).parameters.items() if name != "self"}


def positional(function: Any) -> dict[str, Any]:
    return {
        name: parameter.default
        for name, parameter in parameters(function).items()
        if parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    }


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("method", PUBLISHED)
def test_a_published_method_keeps_its_parameters_and_defaults(client: type, method: str) -> None:
    assert positional(getattr(client, method)) == PUBLISHED[method]


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("method", PUBLISHED)
def test_what_was_added_to_a_published_method_is_optional_and_keyword_only(client: type, method: str) -> None:
    added = [p for name, p in parameters(getattr(client, method)).items() if name not in PUBLISHED[method]]

    assert all(p.kind is inspect.Parameter.KEYWORD_ONLY and p.default is not REQUIRED for p in added)


@pytest.mark.parametrize("method", sorted(PUBLISHED.keys() - WITHOUT_CALL - {"unwatch_events"}))
def test_every_call_of_the_asyncio_client_is_awaited(method: str) -> None:
    assert inspect.iscoroutinefunction(getattr(ArmadaAsyncIOClient, method))
    assert not inspect.iscoroutinefunction(getattr(ArmadaClient, method))


def descriptions() -> dict[str, Any]:
    return {
        name.removesuffix("_call"): function
        for module in (executors, jobs, queries, queues, retry_policies)
        for name, function in vars(module).items()
        if name.endswith("_call") and not name.startswith("_")
    }


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("name", descriptions())
def test_both_clients_have_every_call_with_the_parameters_of_its_description(client: type, name: str) -> None:
    described = [(p.name, p.kind, p.default) for p in parameters(descriptions()[name]).values()]

    assert [(p.name, p.kind, p.default) for p in parameters(getattr(client, name)).values()] == described


@pytest.mark.parametrize("client", CLIENTS)
def test_every_public_method_is_documented(client: type) -> None:
    public = [member for name, member in inspect.getmembers(client, inspect.isfunction) if not name.startswith("_")]

    assert [member.__name__ for member in public if not member.__doc__] == []


def test_both_clients_have_the_same_public_methods() -> None:
    def public(client: type) -> set[str]:
        return {name for name in dir(client) if not name.startswith("_")}

    assert public(ArmadaClient) == public(ArmadaAsyncIOClient)


def test_the_other_published_classes_keep_their_parameters() -> None:
    assert positional(log_client.JobLogClient) == {"url": REQUIRED, "job_id": REQUIRED, "disable_ssl": False}
    assert positional(log_client.JobLogClient.logs) == {"since_time": ""}
    assert positional(log_client.LogLine) == {"line": REQUIRED, "timestamp": REQUIRED}
    assert positional(Event) == {"event": REQUIRED}
    assert positional(Permissions) == {"subjects": REQUIRED, "verbs": REQUIRED}
    assert positional(Subject) == {"kind": REQUIRED, "name": REQUIRED}
