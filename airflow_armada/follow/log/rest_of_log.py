"""Showing what a follower had to leave out of a job's log."""

from __future__ import annotations

from dataclasses import replace

from airflow_armada.client.settings import SiteSettings
from airflow_armada.follow.followed_job import FollowedJob
from airflow_armada.follow.log.log_follower import LineFilter, LogFollower
from airflow_armada.follow.log.log_service import SiteLogs
from airflow_armada.follow.observer import JobObserver
from airflow_armada.follow.state.outcome import Outcome
from airflow_armada.follow.timings import DEFAULT, Timings


async def fetch_remaining_logs(
    settings: SiteSettings,
    job: FollowedJob,
    outcome: Outcome,
    observer: JobObserver,
    timings: Timings = DEFAULT,
    line_filter: LineFilter | None = None,
    *,
    patient: bool = False,
) -> Outcome:
    """Show what a follower had to leave out of a job's log. Trouble with logs is told, not raised.

    :param settings: the Armada site
    :param job: the job
    :param outcome: what the follower returned, with the positions that it had reached
    :param observer: where the lines go
    :param timings: waiting times
    :param line_filter: gives what is to be shown of a line, as it was printed; None for all of it
    :param patient: whether refusals are waited out as well, for ``timings.log_tail``
    :return: the outcome with the positions reached now, and whether the whole log has been shown
    """
    if outcome.logs_complete:
        return outcome
    service = SiteLogs(settings)
    reader = LogFollower(
        service,
        job,
        lambda: outcome.cluster,
        observer,
        job.containers,
        outcome.log_positions,
        None,
        timings,
        line_filter,
        patient=patient,
    )
    reader.end()
    try:
        complete = await reader.run()
    finally:
        await service.close()
    return replace(outcome, log_positions=reader.positions, logs_complete=complete, log_gap=reader.gap)
