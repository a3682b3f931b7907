"""What a follower says about a job in its task log, one line each."""

from __future__ import annotations

from airflow_armada.follow.state import outcome, progress
from airflow_armada.follow.state.progress import JobProgress

_WAITING = {progress.UNKNOWN: "", progress.SUBMITTED: "is submitted", progress.QUEUED: "is queued"}


def phase_text(state: JobProgress) -> str:
    """Say where a job stands; "" while nothing is known of it."""
    if state.end:
        return _end_text(state)
    if state.phase == progress.LEASED:
        return f"is leased to cluster {state.cluster}" + (f" (pool {state.pool})" if state.pool else "")
    if state.phase == progress.PENDING:
        return f"is starting on cluster {state.cluster}" + (f" as pod {state.pod}" if state.pod else "")
    if state.phase == progress.RUNNING:
        return f"is running on {state.node or 'a node'} of cluster {state.cluster}"
    return _WAITING[state.phase]


def phase_level(state: JobProgress) -> str:
    """Say how much a line about it matters: ``error`` for what fails the task, unless it is submitted again."""
    if state.end in (outcome.FAILED, outcome.REJECTED, outcome.LOST):
        return "error"
    return "warning" if state.end in (outcome.PREEMPTED, outcome.CANCELLED) else "info"


def addresses_text(state: JobProgress) -> str:
    """Say where the ports of a job can be reached."""
    listed = ", ".join(f"port {port} at {address}" for port, address in sorted(state.addresses.items()))
    return f"exposes {listed}"


def _end_text(state: JobProgress) -> str:
    verb = {
        outcome.SUCCEEDED: "succeeded",
        outcome.FAILED: "failed",
        outcome.REJECTED: "was rejected",
        outcome.PREEMPTED: "was preempted",
        outcome.CANCELLED: "was cancelled",
        outcome.LOST: "is lost",
    }[state.end]
    if state.cause not in ("", "Error", "Rejected"):
        verb += f" ({state.cause})"
    if state.end in (outcome.CANCELLED, outcome.PREEMPTED) and state.requestor:
        verb += f" by {state.requestor}"
    parts = [line.strip() for line in state.reason.splitlines() if line.strip()]
    if "exit code" not in state.reason:
        parts += [f"{name} exited with {code}" for name, code in state.exit_codes.items()]
    return f"{verb}: {'; '.join(parts)}" if parts else verb
