"""The outcome of a job out of its state."""

from __future__ import annotations

from airflow_armada.follow.job import FollowedJob
from airflow_armada.follow.outcome import Outcome
from airflow_armada.follow.state import JobState


def to_outcome(job: FollowedJob, state: JobState, status: str) -> Outcome:
    """Make the outcome of a job out of its state.

    :param job: the job
    :param state: the last that is known of it
    :param status: how it ended, or which deadline has passed
    """
    return Outcome(
        status=status,
        job_id=job.job_id,
        queue=job.queue,
        job_set_id=job.job_set_id,
        reason=state.reason if state.end else state.note,
        exit_codes=dict(state.exit_codes),
        cause=state.cause,
        failure_category=state.failure_category,
        failure_subcategory=state.failure_subcategory,
        cluster=state.cluster,
        pool=state.pool,
        node=state.node,
        pod=state.pod,
        run_id=state.run_id,
        requestor=state.requestor,
        preempting_job_id=state.preempting_job_id,
        submitted_at=state.submitted_at,
        leased_at=state.leased_at,
        pending_at=state.pending_at,
        running_at=state.running_at,
        finished_at=state.finished_at,
        resources=dict(state.resources),
        addresses={str(port): address for port, address in state.addresses.items()},
        ran=state.ran,
    )
