"""What is known of a job, folded from its events.

``fold(state, kind, body)`` is pure. What each kind of event does stands in the table at the end of this module. The
rules come from the event sequences that an Armada server sends: delivery is at least once, the scheduler and the
executors are separate producers, so duplicates and stragglers are normal, and what looks like an end may not be one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_armada.api.quantity import larger
from airflow_armada.client.timestamps import rfc3339
from airflow_armada.follow.state import outcome, reasons
from airflow_armada.follow.state.progress import (
    ENDED,
    LEASED,
    NOTHING,
    PENDING,
    QUEUED,
    RUNNING,
    SUBMITTED,
    UNKNOWN,
    JobProgress,
    changed,
)

CAUSES = ("Error", "Evicted", "OOM", "DeadlineExceeded", "Rejected")
"""Names of the enum ``api.Cause``, by number."""


def fold(state: JobProgress, kind: str, body: Any) -> JobProgress:
    """Return the state after an event.

    :param state: the state before it
    :param kind: the name of the event's field in ``api.EventMessage``; one that is not in the table changes nothing
    :param body: the event itself
    """
    rule = _RULES.get(kind)
    if rule is None or (state.end and kind != "preempted"):
        return state
    return rule(state, body)


def _submitted(state: JobProgress, body: Any) -> JobProgress:
    at = rfc3339(body.created)
    if state.phase == UNKNOWN:
        return changed(state, phase=SUBMITTED, at=at, submitted_at=at)
    return state if state.submitted_at else changed(state, submitted_at=at)


def _queued(state: JobProgress, body: Any) -> JobProgress:
    if state.phase >= QUEUED:
        return state
    at = rfc3339(body.created)
    return changed(state, phase=QUEUED, at=at, submitted_at=state.submitted_at or at)


def _leased(state: JobProgress, body: Any) -> JobProgress:
    at = rfc3339(body.created)
    if at and at <= state.leased_at:
        return state
    if state.phase >= LEASED and (not state.cluster or body.cluster_id in ("", state.cluster)):
        cluster = state.cluster or body.cluster_id
        return changed(state, cluster=cluster, pool=state.pool or body.pool, leased_at=state.leased_at or at)
    again = state.preempted_at if state.preempted_at > at else ""
    return changed(
        state,
        phase=LEASED,
        at=at,
        cluster=body.cluster_id,
        pool=body.pool,
        node="",
        pod="",
        run_id="",
        leased_at=at,
        pending_at="",
        running_at="",
        preempted_at=again,
        addresses=NOTHING,
    )


def _pending(state: JobProgress, body: Any) -> JobProgress:
    at = rfc3339(body.created)
    if (at and at == state.pending_at) or _of_earlier_run(state, body, at):
        return state
    places = _places(state, body, pool=body.pool)
    if state.phase >= PENDING:
        return changed(state, pending_at=state.pending_at or at, **places)
    return changed(state, phase=PENDING, at=at, pending_at=at, **places)


def _running(state: JobProgress, body: Any) -> JobProgress:
    at = rfc3339(body.created)
    if (at and at == state.running_at) or _of_earlier_run(state, body, at):
        return state
    places = _places(state, body, body.node_name, body.pool)
    if state.phase >= RUNNING:
        return changed(state, running_at=state.running_at or at, ran=True, **places)
    return changed(state, phase=RUNNING, at=at, running_at=at, ran=True, **places)


def _places(state: JobProgress, body: Any, node: str = "", pool: str = "") -> dict[str, Any]:
    """Remember where the pod is: later events of the run, the end among them, often leave it out."""
    return {
        "cluster": body.cluster_id or state.cluster,
        "pool": pool or state.pool,
        "node": node or state.node,
        "pod": body.pod_name or state.pod,
        "namespace": body.pod_namespace or state.namespace,
    }


def _of_earlier_run(state: JobProgress, body: Any, at: str) -> bool:
    """Whether an executor's report is of a run before the present one; times alone do not say, their clocks differ."""
    cluster = getattr(body, "cluster_id", "")
    elsewhere = cluster and state.cluster and cluster != state.cluster
    return bool(state.phase >= LEASED and elsewhere and at <= state.leased_at)


def _lease_returned(state: JobProgress, body: Any) -> JobProgress:
    cluster = body.cluster_id or state.cluster or "its cluster"
    return _interrupted(state, body, f"{cluster} gave it back{_because(body.reason)}; Armada places it again")


def _lease_expired(state: JobProgress, body: Any) -> JobProgress:
    return _interrupted(state, body, f"lost contact with {state.cluster or 'its cluster'}: the lease expired")


def _interrupted(state: JobProgress, body: Any, note: str) -> JobProgress:
    """The end of a run that is not the end of the job: it waits again, or its end follows."""
    at = rfc3339(body.created)
    if (at and at == state.interrupted_at) or _of_earlier_run(state, body, at):
        return state
    return changed(_noted(state, note), phase=QUEUED, at=at, interrupted_at=at)


def _failed(state: JobProgress, body: Any) -> JobProgress:
    if body.retryable:
        return _interrupted(state, body, f"the run failed{_because(body.reason)}; Armada tries it again")
    rejected = body.cause == CAUSES.index("Rejected")
    end = outcome.REJECTED if rejected else outcome.PREEMPTED if state.preempted_at else outcome.FAILED
    exit_codes = {status.name: status.exitCode for status in body.container_statuses}
    told = reasons.failure(body.reason) if not exit_codes else reasons.Failure(exit_codes)
    by, reason = reasons.preemption(body.reason) if end == outcome.PREEMPTED else ("", reasons.readable(body.reason))
    at = rfc3339(body.created)
    return changed(
        state,
        phase=ENDED,
        end=end,
        at=at,
        finished_at=at,
        reason=reason or state.reason,
        requestor=state.requestor or by,
        cause="" if end == outcome.PREEMPTED else _cause(body, told),
        exit_codes=told.exit_codes,
        failure_category=body.failure_category,
        failure_subcategory=body.failure_subcategory or told.subcategory,
        ran=state.ran or bool(told.exit_codes),
        **_places(state, body, body.node_name),
    )


def _cause(body: Any, told: reasons.Failure) -> str:
    """Name the cause; a number that a newer server invented counts as a plain error."""
    named = CAUSES[body.cause] if 0 <= body.cause < len(CAUSES) else CAUSES[0]
    return told.cause or named if named == CAUSES[0] else named


def _succeeded(state: JobProgress, body: Any) -> JobProgress:
    at = rfc3339(body.created)
    places = _places(state, body, body.node_name)
    return changed(state, phase=ENDED, end=outcome.SUCCEEDED, at=at, finished_at=at, reason="", ran=True, **places)


def _cancelled(state: JobProgress, body: Any) -> JobProgress:
    at = rfc3339(body.created)
    who = body.requestor or state.requestor
    return changed(state, phase=ENDED, end=outcome.CANCELLED, at=at, finished_at=at, requestor=who, reason=body.reason)


def _preempted(state: JobProgress, body: Any) -> JobProgress:
    """Armada says ``preempted`` and then ``failed``; the pair is a preemption, whichever comes first."""
    at = rfc3339(body.created) or "-"
    if at == state.preempted_at or state.end not in ("", outcome.FAILED):
        return state
    by, reason = reasons.preemption(body.reason)
    known = changed(
        state,
        preempted_at=at,
        reason=reason or state.reason,
        run_id=body.run_id or state.run_id,
        requestor=body.requestor or by or state.requestor,
        preempting_job_id=body.preempting_job_id,
    )
    if state.end:
        return changed(known, end=outcome.PREEMPTED, cause="", reason=reason)
    return _noted(known, f"preempted{_by(known.requestor)}{_because(reason)}")


def _preempting(state: JobProgress, body: Any) -> JobProgress:
    return _noted(state, f"{body.requestor or 'someone'} asked for its preemption{_because(body.reason)}")


def _cancelling(state: JobProgress, body: Any) -> JobProgress:
    noted = _noted(state, f"{body.requestor or 'someone'} asked for its cancellation{_because(body.reason)}")
    return changed(noted, requestor=body.requestor or state.requestor)


def _reprioritized(state: JobProgress, body: Any) -> JobProgress:
    return _noted(state, f"its priority is now {body.new_priority:g}")


def _utilisation(state: JobProgress, body: Any) -> JobProgress:
    seen = dict(state.resources)
    for name, quantity in body.MaxResourcesForPeriod.items():
        seen[name] = larger(seen.get(name, ""), quantity.string)
    return state if seen == state.resources else changed(state, resources=seen)


def _ingress_info(state: JobProgress, body: Any) -> JobProgress:
    addresses = dict(body.ingress_addresses)
    if addresses == state.addresses or _of_earlier_run(state, body, rfc3339(body.created)):
        return state
    return changed(state, addresses=addresses)


def _noted(state: JobProgress, note: str) -> JobProgress:
    return state if note == state.note else changed(state, note=note, notes=state.notes + 1)


def _by(who: str) -> str:
    return f" by {who}" if who else ""


def _because(reason: str) -> str:
    told = "; ".join(reasons.readable(reason).splitlines())
    return f" ({told})" if told else ""


_RULES: dict[str, Callable[[JobProgress, Any], JobProgress]] = {
    "submitted": _submitted,
    "queued": _queued,
    "leased": _leased,
    "pending": _pending,
    "running": _running,
    "lease_returned": _lease_returned,
    "lease_expired": _lease_expired,
    "failed": _failed,
    "succeeded": _succeeded,
    "cancelling": _cancelling,
    "cancelled": _cancelled,
    "preempting": _preempting,
    "preempted": _preempted,
    "reprioritized": _reprioritized,
    "utilisation": _utilisation,
    "ingress_info": _ingress_info,
}
