"""Who has asked Armada for which cancel, and whether the rules of his task let him."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_armada.api import submit_pb2
from airflow_armada.standalone.store import model
from airflow_armada.task.end.unfinished import STOPPED_WAITING, TIMED_OUT
from airflow_armada.task.submit.takeover import REPLACED
from airflow_armada.wait.cancel import KILLED, OVERDUE, SURPLUS

if TYPE_CHECKING:
    from tests.simulation.airflow import SimulatedTask
    from tests.simulation.drawn import Life

DEFERRAL_TIMED_OUT = "the deferral has timed out"
LAG = 50.0  # s; the query service lags by 45 at most
_BLIND = 250.0  # s of faults after which a deadline counts although Armada was not heard


@dataclass(frozen=True)
class Cancel:
    """
    A cancel as Armada has heard it.

    :param at: when, in seconds since the epoch.
    :param job_ids: of which jobs; none is all of a job set.
    :param reason: the reason that was given.
    """

    at: float
    job_ids: tuple[str, ...]
    reason: str

    @classmethod
    def of(cls, request: Any, at: float) -> Cancel:
        """Read a request."""
        ids = (request.job_id, *request.job_ids) if isinstance(request, submit_pb2.JobCancelRequest) else ()
        return cls(at, tuple(filter(None, ids)), request.reason)


def needless(cancels: list[Cancel], life: Life, task: SimulatedTask, own: list[Any]) -> Iterator[str]:
    """
    Find cancels of jobs that the rules of their task would have let run.

    :param cancels: all that Armada has heard.
    :param life: the life.
    :param task: the task.
    :param own: its jobs.
    """
    if any(not cancel.job_ids for cancel in cancels):
        yield "a cancel names no job, so that it ends all of its job set"
    for cancel in cancels:
        for job in own:
            if job.id in cancel.job_ids and not _is_allowed(cancel, job, life, task, own):
                yield f"{task.name}: job {job.id} was cancelled at {cancel.at - task.began[0]:.1f} ({cancel.reason})"


def _is_allowed(cancel: Cancel, job: Any, life: Life, task: SimulatedTask, own: list[Any]) -> Any:
    reason = cancel.reason
    if reason == KILLED:
        return bool(life.options["cancel_on_kill"]) and any(at <= cancel.at for at in task.taken)
    if reason == DEFERRAL_TIMED_OUT:
        return task.deferral_timed_out
    if reason == SURPLUS:
        return sum(one.spec.client_id == job.spec.client_id for one in own) > 1
    if reason == REPLACED:
        return bool(life.options["reattach"] == "never") or bool(task.taken) or _timed(life) or life.in_trouble
    if reason == STOPPED_WAITING:
        return (
            life.in_trouble
            or "execution_timeout" in life.options
            or any(spell.kind == "xcom refused" for spell in life.spells)
        )
    if reason == OVERDUE["queued_too_long"]:
        return _queued_too_long(cancel, job, life)
    if reason in (TIMED_OUT, OVERDUE["timed_out"]):
        began = max((at for at in task.began if at <= cancel.at), default=0.0)
        return "execution_timeout" in life.options and bool(cancel.at - began >= _limit(life) - 0.1)
    return False


def _limit(life: Life) -> float:
    return float(life.options["execution_timeout"].total_seconds())


def _timed(life: Life) -> bool:
    return "queued_timeout" in life.options or "execution_timeout" in life.options


def _queued_too_long(cancel: Cancel, job: Any, life: Life) -> bool:
    """Tell whether a job had not begun to run in time, as far as anybody could know."""
    if "queued_timeout" not in life.options:
        return False
    deadline = job.history[0][0] + life.options["queued_timeout"]
    ran = min((at for at, state in job.history if state == model.RUNNING), default=float("inf"))
    blind = sum(spell.length for spell in life.spells) >= _BLIND
    return bool(cancel.at >= deadline - 5 and (blind or ran > min(deadline, cancel.at - LAG) - 1))
