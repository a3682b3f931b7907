"""Events with their kinds, states of jobs, and the module names of `armada-client`."""

from __future__ import annotations

import importlib

import pytest

from airflow_armada.api import core_v1_pb2, event_pb2, submit_pb2
from airflow_armada.client.event import Event
from airflow_armada.client.typings import EventType, JobState

KINDS = [field.name for field in event_pb2.EventMessage.DESCRIPTOR.oneofs_by_name["events"].fields]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_event_has_its_type_and_message(kind: str) -> None:
    message = event_pb2.EventStreamMessage(id="1:0:0:1")
    getattr(message.message, kind).job_id = "j"

    event = Event(message)

    assert (event.id, event.type, event.message.job_id) == ("1:0:0:1", EventType(kind), "j")  # type: ignore[union-attr]
    assert kind in repr(event)


def test_a_kind_of_a_newer_server_does_not_stop_a_consumer() -> None:
    newer = bytes.fromhex("fa0600")  # field 111 of EventMessage, which no version has yet
    message = event_pb2.EventStreamMessage(id="7", message=event_pb2.EventMessage.FromString(newer))

    event = Event(message)

    assert (event.id, event.type) == ("7", EventType.unknown)
    assert event.message == message.message
    assert "unknown" in repr(event)


def test_types_and_states_are_those_of_the_wire() -> None:
    assert {kind.value for kind in EventType} == {*KINDS, "unknown"}
    assert {state.name: state.value for state in JobState} == dict(submit_pb2.JobState.items())


def test_a_job_in_any_state_is_either_active_or_terminal() -> None:
    terminal = {state for state in JobState if state.is_terminal()}

    assert {state.name for state in terminal} == {"SUCCEEDED", "FAILED", "PREEMPTED", "CANCELLED", "REJECTED"}
    assert all(state.is_active() != state.is_terminal() for state in JobState)


@pytest.mark.parametrize(
    "module",
    [f"armada.{name}_pb2" for name in ("submit", "event", "job", "health", "binoculars")]
    + [
        f"k8s.io.{name}.generated_pb2"
        for name in (
            "api.core.v1",
            "api.networking.v1",
            "apimachinery.pkg.api.resource",
            "apimachinery.pkg.apis.meta.v1",
            "apimachinery.pkg.util.intstr",
        )
    ],
)
def test_modules_of_messages_have_the_names_that_users_import(module: str) -> None:
    assert importlib.import_module(f"airflow_armada.client.{module}").DESCRIPTOR


def test_messages_are_the_same_classes_under_both_names() -> None:
    moved = importlib.import_module("airflow_armada.client.k8s.io.api.core.v1.generated_pb2")

    assert moved.PodSpec is core_v1_pb2.PodSpec


def test_a_state_of_a_newer_server_is_unknown_and_no_end() -> None:
    assert JobState(99) is JobState.UNKNOWN
    assert JobState(99).is_active()
    with pytest.raises(ValueError, match="running"):
        JobState("running")
