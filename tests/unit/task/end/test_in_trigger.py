"""What only a worker knows may keep a task from ending in the triggerer, and the task log says so."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from airflow.listeners import hookimpl
from airflow.sdk import DAG
from airflow.sdk.bases.operator import BaseOperator

from airflow_armada.operators.armada import ArmadaOperator
from airflow_armada.task.end.in_trigger import ends_in_trigger


class Echo(BaseOperator):
    def __init__(self, *, word: Any = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.word = word


class SuccessListener:
    @hookimpl
    def on_task_instance_success(self, previous_state: Any, task_instance: Any) -> None: ...


class FailureListener:
    @hookimpl
    def on_task_instance_failed(self, previous_state: Any, task_instance: Any, error: Any) -> None: ...


@pytest.fixture
def listeners() -> Iterator[Any]:
    """Airflow's listeners on a worker; what a test adds is gone afterwards."""
    manager = import_module("airflow.sdk.execution_time.task_runner").get_listener_manager()
    yield manager
    for plugin in manager.pm.get_plugins():
        if isinstance(plugin, SuccessListener | FailureListener):
            manager.pm.unregister(plugin)


@pytest.fixture
def task() -> ArmadaOperator:
    with DAG("ends"):
        return ArmadaOperator(
            task_id="job", armada_queue="q", image="i", deferrable=True, do_xcom_push=False, end_from_trigger=True
        )


def test_nothing_is_in_the_way(task: ArmadaOperator, listeners: Any) -> None:
    listeners.pm.register(FailureListener())

    assert ends_in_trigger(task)


def test_a_listener_for_successes_wants_a_worker(
    task: ArmadaOperator, listeners: Any, caplog: pytest.LogCaptureFixture
) -> None:
    listeners.pm.register(SuccessListener())

    with caplog.at_level(logging.INFO):
        assert not ends_in_trigger(task)
    assert "would lose what a listener, such as OpenLineage's, wants to hear" in caplog.text


def test_a_downstream_task_that_maps_over_it_wants_a_worker(
    task: ArmadaOperator, caplog: pytest.LogCaptureFixture
) -> None:
    with task.dag:
        Echo.partial(task_id="each").expand(word=task.output)

    with caplog.at_level(logging.INFO):
        assert not ends_in_trigger(task)
    assert "would lose what a downstream task maps over" in caplog.text
