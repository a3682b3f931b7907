"""Every way out of a task hands its job on, or cancels it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from airflow.sdk.execution_time.timeout import timeout as execution_timeout

from airflow_armada._compat import (
    HAS_RETRY_POLICIES,
    AirflowException,
    AirflowTaskTimeout,
    TaskDeferralTimeout,
    TaskDeferred,
)
from airflow_armada.client.typings import JobState
from airflow_armada.exceptions import (
    ArmadaJobFailed,
    ArmadaJobKept,
    ArmadaJobPreempted,
    ArmadaJobTimedOut,
    ArmadaUnavailable,
)
from airflow_armada.follow.state.outcome import Outcome
from airflow_armada.hooks.armada import ArmadaHook, forget_connections
from airflow_armada.operators.armada import ArmadaOperator
from airflow_armada.standalone.server import StandaloneArmada
from airflow_armada.wait.event import EVENT_VERSION, make_error_event
from airflow_armada.wait.job_wait import JobWait
from tests.integration.task.submit.tries import Store, soon
from tests.support.airflow_stack import armada_connection
from tests.support.components import wait_until

pytestmark = pytest.mark.timeout(120, method="thread")  # the other method takes the alarm of execution_timeout
DEFAULT = "AIRFLOW_CONN_ARMADA_DEFAULT"


class TaskInstance(SimpleNamespace):
    """What a segment uses of Airflow's."""

    def __init__(self, **fields: Any) -> None:
        facts = {"dag_id": "d", "run_id": "r", "task_id": "t", "map_index": -1, "try_number": 1, "max_tries": 0}
        super().__init__(**(facts | {"start_date": datetime.now(UTC), "xcoms": {}} | fields))

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms[key] = value

    def xcom_pull(self, key: str, **_: Any) -> Any:
        return self.xcoms.get(key)


class NoXCom(TaskInstance):
    """One whose XCom backend is away."""

    def xcom_push(self, key: str, value: Any) -> None:
        raise RuntimeError("the XCom backend does not answer")


@pytest.fixture
def armada(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandaloneArmada]:
    with StandaloneArmada(cpus=4, memory="4Gi") as server:
        server.create_queue("work")
        monkeypatch.setenv(DEFAULT, armada_connection(server.target))
        monkeypatch.setenv("AIRFLOW_CONN_ARMADA_OTHER", armada_connection("127.0.0.1:1"))
        forget_connections()
        yield server


def task(command: str = "sleep 300", **arguments: Any) -> ArmadaOperator:
    given = {"task_id": "t", "armada_queue": "work", "image": "busybox", "cmds": ["sh", "-c", command]}
    small = {"container_resources": {"cpu": "50m", "memory": "16Mi"}}
    return ArmadaOperator(**(given | small | arguments))


def context(ti: TaskInstance | None = None, **fields: Any) -> Any:
    return {"ti": ti or TaskInstance(), "task_state_store": Store(), **fields}


def cancelled(armada: StandaloneArmada) -> bool:
    return bool(armada.jobs) and all(job.state == JobState.CANCELLED.value for job in armada.jobs.values())


def deferred(operator: ArmadaOperator, ctx: Any) -> JobWait:
    with pytest.raises(TaskDeferred) as raised:
        operator.execute(ctx)
    return JobWait.from_dict(raised.value.trigger.serialize()[1])


def after_timeout(wait: JobWait) -> dict[str, Any]:
    outcome = Outcome("timed_out", wait.job_id, logs_complete=False)
    return {"version": EVENT_VERSION, "wait": wait.to_dict(), "outcome": outcome.to_dict()}


LAST_TRY, MORE_TRIES = {"max_tries": 0}, {"max_tries": 3}


def test_an_xcom_that_cannot_be_pushed_on_the_last_try_leaves_no_job_behind(armada: StandaloneArmada) -> None:
    with pytest.raises(RuntimeError, match="XCom backend"):
        task().execute(context(NoXCom(**LAST_TRY)))

    wait_until(lambda: cancelled(armada), "the cancel")


def test_before_another_try_the_job_is_left_to_it(armada: StandaloneArmada) -> None:
    with pytest.raises(RuntimeError, match="XCom backend"):
        task().execute(context(NoXCom(**MORE_TRIES)))

    assert armada.calls["/api.Submit/CancelJobs"] == 0


def test_a_job_that_no_next_try_would_take_over_is_cancelled(armada: StandaloneArmada) -> None:
    with pytest.raises(RuntimeError, match="XCom backend"):
        task(reattach="never").execute(context(NoXCom(**MORE_TRIES)))

    wait_until(lambda: cancelled(armada), "the cancel")


@pytest.mark.skipif(not HAS_RETRY_POLICIES, reason="retry policies come with Airflow 3.3")
@pytest.mark.parametrize(("verdict", "cancels"), [(False, 1), (60.0, 0)])
def test_where_the_retry_policy_allows_no_next_try_the_job_is_cancelled(
    armada: StandaloneArmada, verdict: Any, cancels: int
) -> None:
    from airflow_armada.retry_policy import ArmadaRetryPolicy

    operator = task(retry_policy=ArmadaRetryPolicy(exceptions={RuntimeError: verdict}))

    with pytest.raises(RuntimeError, match="XCom backend"):
        operator.execute(context(NoXCom(task=operator, **MORE_TRIES)))

    assert armada.calls["/api.Submit/CancelJobs"] == cancels


def test_a_submission_that_is_under_way_when_the_time_is_up_is_heard_out(armada: StandaloneArmada) -> None:
    armada.faults.bus_away = True

    with soon(4.0, armada.faults.clear), execution_timeout(2), pytest.raises(AirflowTaskTimeout):
        task().execute(context())

    wait_until(lambda: cancelled(armada), "the cancel")


def test_a_submission_that_is_under_way_when_the_task_is_killed_is_cancelled(armada: StandaloneArmada) -> None:
    armada.faults.bus_away = True
    operator = task()

    with soon(2.0, operator.on_kill), soon(3.0, armada.faults.clear), pytest.raises(AirflowException, match="killed"):
        operator.execute(context())

    wait_until(lambda: cancelled(armada), "the cancel")


def test_the_cancel_of_a_task_whose_time_is_up_takes_the_time_that_it_needs(armada: StandaloneArmada) -> None:
    wait = deferred(task(), context())
    armada.faults.refuse("CancelJobs", times=6)

    # Airflow arms the alarm anew for the segment that resumes.
    with execution_timeout(1), pytest.raises(ArmadaJobTimedOut):
        task(execution_timeout=timedelta(seconds=1)).execute_complete(context(), after_timeout(wait))

    wait_until(lambda: cancelled(armada), "the cancel")


def test_a_job_is_cancelled_by_the_connection_that_it_was_submitted_by(armada: StandaloneArmada) -> None:
    wait = deferred(task(), context())

    with pytest.raises(ArmadaJobTimedOut):
        task(armada_conn_id="armada_other").execute_complete(context(), after_timeout(wait))

    wait_until(lambda: cancelled(armada), "the cancel")


@pytest.mark.parametrize("end", ["timed_out", "error"])
def test_a_deferral_that_ends_without_the_job_ends_it_on_the_last_try(armada: StandaloneArmada, end: str) -> None:
    ctx = context()
    wait = deferred(task(), ctx)
    resumed = task(armada_conn_id="armada_other")
    event = make_error_event(replace(wait, errors=100), RuntimeError("gone"))
    ways: dict[str, Callable[[], Any]] = {
        "timed_out": lambda: resumed.resume_execution("__fail__", {"error": "Trigger timeout"}, ctx),
        "error": lambda: resumed.execute_complete(ctx, event),
    }

    with pytest.raises((TaskDeferralTimeout, ArmadaUnavailable)):
        ways[end]()

    wait_until(lambda: cancelled(armada), "the cancel")


@pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "blocking"])
def test_a_job_that_is_spared_is_taken_over_by_the_retry(armada: StandaloneArmada, deferrable: bool) -> None:
    ctx = context(TaskInstance(**MORE_TRIES))
    operator = task(cancel_on_kill=False, deferrable=deferrable, execution_timeout=timedelta(seconds=4))
    event = after_timeout(deferred(operator, ctx)) if deferrable else {}

    with nullcontext() if deferrable else execution_timeout(4), pytest.raises(AirflowTaskTimeout):
        operator.execute_complete(ctx, event) if deferrable else operator.execute(ctx)
    again = deferred(task(), ctx | {"ti": TaskInstance(try_number=2, **MORE_TRIES)})

    assert again.adopted
    assert list(armada.jobs) == [again.job_id]
    assert not cancelled(armada)


def test_a_token_that_has_changed_since_the_task_began_is_the_one_that_cancels(
    armada: StandaloneArmada, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait = deferred(task(), context())
    good = os.environ[DEFAULT]
    monkeypatch.setenv("AIRFLOW__ARMADA__CONNECTION_CACHE_TTL", "0.1")
    monkeypatch.setenv(DEFAULT, armada_connection(armada.target, auth="token", token="expired"))
    forget_connections()

    with soon(2.0, lambda: os.environ.update({DEFAULT: good})), pytest.raises(ArmadaJobTimedOut):
        task(get_logs=False).execute_complete(context(), after_timeout(wait))

    wait_until(lambda: cancelled(armada), "the cancel")


def test_an_adopted_job_that_had_failed_before_spends_no_resubmission(armada: StandaloneArmada) -> None:
    ctx = context(TaskInstance(**MORE_TRIES))
    failed = deferred(task("exit 3"), ctx)
    wait_until(lambda: armada.jobs[failed.job_id].state == JobState.FAILED.value, "the failure")
    armada.faults.refuse("GetJobStatus", grpc.StatusCode.PERMISSION_DENIED, times=None)
    time.sleep(1.1)
    later = ctx | {"ti": TaskInstance(try_number=2, **MORE_TRIES)}
    adopted = deferred(task("sleep 300", preemption_retries=1), later)
    outcome = Outcome("failed", adopted.job_id, finished_at="2026-01-01T00:00:00Z")
    event = {"version": EVENT_VERSION, "wait": adopted.to_dict(), "outcome": outcome.to_dict()}

    with pytest.raises(TaskDeferred) as raised:
        task("sleep 300", preemption_retries=1).execute_complete(later, event)

    again = JobWait.from_dict(raised.value.trigger.serialize()[1])
    assert adopted.adopted
    assert (again.spent, again.resubmission, again.resubmit_on) == (0, 0, ("preempted",))


@pytest.mark.parametrize(("left", "end"), [(60.0, TaskDeferred), (0.5, ArmadaJobPreempted)])
def test_a_preempted_job_is_submitted_again_as_long_as_there_is_time_for_it(
    armada: StandaloneArmada, left: float, end: type[BaseException]
) -> None:
    operator = task(preemption_retries=1, execution_timeout=timedelta(minutes=5))
    wait = replace(deferred(operator, context()), deadline=time.time() + left)
    outcome = Outcome("preempted", wait.job_id)
    event = {"version": EVENT_VERSION, "wait": wait.to_dict(), "outcome": outcome.to_dict()}

    with pytest.raises(end):
        operator.execute_complete(context(), event)

    assert len(armada.jobs) == (2 if end is TaskDeferred else 1)


def test_the_request_is_built_once_from_its_rendering_to_its_submission(
    armada: StandaloneArmada, monkeypatch: pytest.MonkeyPatch
) -> None:
    built, build = [], ArmadaOperator.build_request

    def counted(operator: ArmadaOperator, identity: Any) -> Any:
        built.append(identity)
        return build(operator, identity)

    monkeypatch.setattr(ArmadaOperator, "build_request", counted)
    operator, ctx = task(), context()
    operator.render_template_fields(ctx)
    deferred(operator, ctx)

    assert len(built) == 1


def test_what_an_authors_own_code_changes_after_the_rendering_is_submitted(armada: StandaloneArmada) -> None:
    class Own(ArmadaOperator):
        def execute(self, context: Any) -> Any:
            self.env_vars = {"ADDED": "late"}
            return super().execute(context)

    operator, ctx = task(), context()
    operator.__class__ = Own
    operator.render_template_fields(ctx)
    wait = deferred(operator, ctx)

    variables = armada.jobs[wait.job_id].spec.pod_spec.containers[0].env
    assert "late" in [variable.value for variable in variables]


def test_a_first_segment_asks_airflow_for_little(armada: StandaloneArmada, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside three calls of Airflow's own and the link: at most eight."""
    asked: list[str] = []
    get_connection = ArmadaHook.get_connection

    def counted(hook: ArmadaHook, conn_id: str) -> Any:
        asked.append(conn_id)
        return get_connection(conn_id)

    monkeypatch.setattr(Store, "set", lambda *_: asked.append("store"))
    monkeypatch.setattr(TaskInstance, "xcom_push", lambda *_, **__: asked.append("xcom"))
    monkeypatch.setattr(ArmadaHook, "get_connection", counted)
    operator, ctx = task(), context()
    operator.render_template_fields(ctx)
    deferred(operator, ctx)

    assert sorted(asked) == ["armada_default", "store", "store", "xcom"]


@pytest.mark.parametrize("reattach", ["always", lambda state, reason: "exit code" in reason.lower() or True])
def test_a_job_that_a_retry_would_take_over_again_is_not_retried(armada: StandaloneArmada, reattach: Any) -> None:
    store, failing = Store(), {"command": "exit 3", "deferrable": False, "reattach": reattach, "retries": 3}
    with pytest.raises(ArmadaJobKept, match="Exit code 3"):
        task(**failing).execute(context(TaskInstance(**MORE_TRIES), task_state_store=store))

    again = TaskInstance(try_number=2, **MORE_TRIES)
    with pytest.raises(ArmadaJobKept, match="Exit code 3"):
        task(**failing).execute(context(again, task_state_store=store))
    last = TaskInstance(try_number=4, **MORE_TRIES)
    with pytest.raises(ArmadaJobFailed):
        task(**failing).execute(context(last, task_state_store=store))

    assert len(armada.jobs) == 1
