"""Following one job to its end: the same in the triggerer and on the worker."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow_armada._compat import conf
from airflow_armada.wait.witness import Witness, Witnessed

if TYPE_CHECKING:
    from airflow_armada.client.settings import SiteSettings
    from airflow_armada.follow.followed_job import FollowedJob
    from airflow_armada.follow.log.budget import LogBudget
    from airflow_armada.follow.log.log_follower import LineFilter
    from airflow_armada.follow.observer import JobObserver
    from airflow_armada.follow.settings_source import SettingsSource
    from airflow_armada.follow.state.outcome import Outcome
    from airflow_armada.jobs.results import ResultCollector
    from airflow_armada.wait.job_wait import JobWait


def followed_job(wait: JobWait) -> FollowedJob:
    """Give the job in the follower's terms."""
    from airflow_armada.follow.followed_job import FollowedJob

    return FollowedJob(
        ref=wait.job,
        submitted_at=wait.submitted_at,
        namespace=wait.namespace,
        containers=wait.containers,
        client_id=wait.client_id,
    )


@cache
def live_log_budget() -> LogBudget:
    """Give the budget for live log lines that all triggers of this process share."""
    from airflow_armada.follow.log.budget import LogBudget

    lines = conf.getfloat("armada", "live_log_lines_per_second", fallback=200.0)
    job_lines = conf.getfloat("armada", "live_log_lines_per_second_per_job", fallback=20.0)
    return LogBudget(lines, 2 * lines, job_lines, 5 * job_lines)


async def wait_for_job(
    wait: JobWait,
    settings: SiteSettings,
    source: SettingsSource,
    reporter: JobObserver,
    *,
    budget: bool = False,
    collector: ResultCollector | None = None,
    witness: Witness | None = None,
) -> Outcome:
    """
    Follow a job to its end.

    :param wait: the job and how to wait for it.
    :param settings: the site, as the connection gives it.
    :param source: gives them anew, so that a change of the connection reaches jobs that are followed already.
    :param reporter: where the job's log and changes of its state go.
    :param budget: whether to show no more live log lines than a triggerer can bear.
    :param collector: receives the result that the job prints; see :func:`result_collector`.
    :param witness: sees it as well.
    :return: how the job ended, or that a deadline passed before it did.
    """
    from airflow_armada.follow.follower import FollowOptions, follow
    from airflow_armada.follow.site import shared_site
    from airflow_armada.wait.copies import Copies
    from airflow_armada.wait.metrics import reported

    copies = Copies(wait, source)
    options = FollowOptions(
        get_logs=wait.get_logs or wait.get_result,
        containers=wait.containers,
        deadline=wait.deadline,
        queued_deadline=wait.queued_deadline,
        live_log_budget=live_log_budget() if budget and wait.get_logs else None,
        line_filter=line_filter(wait, collector),
        duplicate=copies.cancel,
        running=None
        if witness is None
        else lambda state: witness.running(wait, state.running_at, state.cluster, state.node),
    )
    observer = reporter if witness is None else Witnessed(reporter, wait, witness)
    async with shared_site(settings, source=source) as site:
        with reported(site) if budget else nullcontext():
            outcome = await follow(site, followed_job(wait), observer, options)
            await copies.finish()
            return outcome


def result_collector(wait: JobWait, state: Mapping[str, Any] | None = None) -> ResultCollector | None:
    """
    Give what looks for the result of a job.

    :param wait: the job.
    :param state: what another process has found, as its event carries it.
    :return: a collector; None when nobody wants a result.
    """
    if not wait.get_result:
        return None
    from airflow_armada.jobs.results import ResultCollector

    collector = ResultCollector(wait.result_container, wait.result_nonce)
    collector.go_on(state or {})
    return collector


def line_filter(wait: JobWait, collector: ResultCollector | None) -> LineFilter | None:
    """
    Take the result out of a job's log, on its way to the task log.

    :param wait: the job.
    :param collector: sees each line as it was printed; None when nobody wants a result.
    :return: gives the lines that are to be shown; None for all of them.
    """
    if collector is None:
        return None

    def shown(container: str, line: bytes) -> list[bytes]:
        lines = collector.feed(container, line)
        return lines if wait.shows(container) else []

    return shown
