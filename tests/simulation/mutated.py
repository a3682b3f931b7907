"""What stands in the place of a rule of the provider that is taken away."""

from __future__ import annotations

from typing import Any

import grpc
from google.protobuf.message import DecodeError

from airflow_armada.client.errors import ArmadaError, ArmadaRpcError
from airflow_armada.client.patience import Kind
from airflow_armada.exceptions import ArmadaRefused
from airflow_armada.follow.deadlines import Deadlines
from airflow_armada.follow.state.fold import _RULES
from airflow_armada.follow.state.progress import ENDED, JobProgress, changed
from airflow_armada.follow.stream.event_stream import EventStream
from airflow_armada.follow.stream.slim_events import SlimEvent
from airflow_armada.task.end.unfinished import UnfinishedJob
from airflow_armada.task.submit.lookup import Lookup
from airflow_armada.task.submit.record import JobRecord
from airflow_armada.task.submit.submitted import Submitted
from airflow_armada.task.submit.takeover import Takeover
from airflow_armada.triggers.killed import TaskStates
from airflow_armada.wait.cancel import kind_of_failure


async def always(*_: Any) -> bool:
    return True


def never(*_: Any, **__: Any) -> bool:
    return False


async def always_false(*_: Any) -> bool:
    return False


read = EventStream._read


NEVER = property(never)


def nothing(*_: Any, **__: Any) -> None:
    """Do nothing."""


async def soon(*_: Any, **__: Any) -> None:
    """Do nothing, for those who wait for it."""


def none_found(*_: Any, **__: Any) -> dict[str, Any]:
    return {}


def final(*_: Any) -> Kind:
    return Kind.FINAL


def fold_on(state: JobProgress, kind: str, body: Any) -> JobProgress:
    """Fold an event into a state, also one that has ended."""
    rule = _RULES.get(kind)
    if rule is None:
        return state
    new = rule(state, body)
    return new if new.phase == ENDED else changed(new, end="")


def submits_always(takeover: Takeover) -> Submitted:
    return Submitted(takeover.submit(0))


def cancels_all(client: Any, queue: str, job_set_id: str, job_id: str = "", reason: str = "") -> Any:
    """Cancel the whole job set."""
    return client.cancel_jobset(queue, job_set_id, [], reason=reason)


def by_the_clock(deadlines: Deadlines) -> str:
    return deadlines._by_the_clock()


async def ended_or_error(client: Any, job_id: str) -> bool:
    """Look whether a job has ended, and let nothing be done where that cannot be had."""
    from airflow_armada.client.typings import JobState

    states = (await client.get_job_status([job_id])).job_states
    return job_id in states and JobState(states[job_id]).is_terminal()


_guesses = Takeover._guesses


def newest_try_alone(takeover: Takeover, number: int) -> list[JobRecord]:
    return _guesses(takeover, number) if number == takeover._attempt.try_number - 1 else []


def goes_on(takeover: Takeover, previous: JobRecord) -> Submitted | None:
    return Submitted(takeover._complete(previous))


def newest_connection(takeover: Takeover, _: JobRecord) -> str:
    return takeover._target.armada_conn_id


def directly(work: Any, name: str) -> Any:
    """Do what must not be interrupted where it can be."""
    return work()


def as_grpc_does(raw: bytes) -> Any:
    """Decode a message, or hand over None, as gRPC does for one that cannot be."""
    try:
        return SlimEvent.FromString(raw)
    except DecodeError:
        return None


def asks_once(_lookup: Lookup, ask: Any, what: str) -> Any:
    """Take whatever goes wrong for a refusal."""
    try:
        return ask()
    except ArmadaError as error:
        raise ArmadaRefused(f"Could not {what}: {error}") from error


def unknown_is_final(error: BaseException) -> Kind:
    is_unknown = isinstance(error, ArmadaRpcError) and error.code() is grpc.StatusCode.UNKNOWN
    return Kind.FINAL if is_unknown else kind_of_failure(error)


async def no_state_is_no_answer(task_instance: Any) -> bool:
    """Take a task that Airflow does not know, or that has no state, for one of which nothing can be known."""
    return await TaskStates().of(task_instance) not in (None, "deferred")


def cancels_by_its_arguments(unfinished: UnfinishedJob, jobs: Any, _: str, reason: str) -> None:
    _cancel(unfinished, jobs, unfinished._arguments.armada_conn_id, reason)


_cancel = UnfinishedJob.cancel
