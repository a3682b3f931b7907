"""What a follower says about a job in its task log, one line each."""

from __future__ import annotations

from airflow_armada.follow.state import outcome, progress
from airflow_armada.follow.state.progress import JobProgress

_MAX_REPORT_LINES = 12
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
    codes = ", ".join(f"{name} exited with {code}" for name, code in state.exit_codes.items())
    parts = [part for part in (state.reason.strip(), codes) if part]
    return f"{verb}: {'; '.join(parts)}" if parts else verb


def scheduler_reason(report: str) -> str:
    """Shorten the scheduler's report on a job to why it is not running.

    A report has a part for each pool, with a line ``UnschedulableReason`` where the scheduler has one
    (``internal/scheduler/scheduling/context/job.go``).

    :param report: the answer of GetJobReport
    :return: the reasons, else the beginning of the report, else ""
    """
    reasons = [line.partition(":")[2].strip() for line in report.splitlines() if "UnschedulableReason:" in line]
    found = list(dict.fromkeys(reason for reason in reasons if reason not in ("", "none")))
    if found:
        return "; ".join(found)
    lines = [line.strip() for line in report.splitlines() if line.strip()]
    return "; ".join(lines[:_MAX_REPORT_LINES])
