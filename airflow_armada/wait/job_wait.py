"""Waiting for one job: the same in the triggerer and on the worker."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from airflow_armada._compat import conf
from airflow_armada.client.foreign_text import storable_value
from airflow_armada.client.job_ref import JobRef

if TYPE_CHECKING:
    from airflow_armada.client.settings import SiteSettings
    from airflow_armada.follow.followed_job import FollowedJob
    from airflow_armada.follow.log.budget import LogBudget
    from airflow_armada.follow.log.log_follower import LineFilter
    from airflow_armada.follow.observer import JobObserver
    from airflow_armada.follow.settings_source import SettingsSource
    from airflow_armada.follow.state.outcome import Outcome
    from airflow_armada.jobs.results import ResultCollector
    from airflow_armada.wait.task_log import TaskLogReporter

EVENT_VERSION = 1

_MIN_REREAD = 1.0  # s; each reading of a connection takes a triggerer's supervisor some 60 ms


@dataclass(frozen=True)
class JobWait:
    """
    All that waiting for a job needs, in builtins and without a secret: it is stored as plain JSON in the database.

    :param armada_conn_id: the Airflow connection.
    :param job: the job; the stored form has its three parts beside the other fields.
    :param submitted_at: when it was submitted, in seconds since the epoch.
    :param job_url: its page in Lookout, or empty.
    :param namespace: namespace of its pod.
    :param containers: names of the containers whose logs are read.
    :param get_logs: whether to show its log.
    :param shown: names of the containers whose logs are shown; empty for all that are read.
    :param get_result: whether to look for the result that it prints on its log.
    :param result_container: name of the container that prints it; empty for any.
    :param result_nonce: what its markers may carry, so that no other counts.
    :param cancel_on_kill: whether to cancel it when the task is killed.
    :param deadline: when ``execution_timeout`` passes, in seconds since the epoch.
    :param queued_deadline: when it must have started, in seconds since the epoch.
    :param resubmission: the number of the submission within its try, from 0.
    :param spent: how many of its resubmissions the try has used up.
    :param client_id: its deduplication id, by which other jobs of the same identity are known.
    :param resubmit_on: ends after which it will be resubmitted again.
    :param errors: how often a trigger had to give up following it.
    :param adopted: whether it was submitted by an earlier try.
    :param not_before: a trigger must not fire before that time, in seconds since the epoch.
    :param end_in_trigger: whether a trigger may end the task where nothing is left for a worker to do.
    """

    armada_conn_id: str
    job: JobRef
    submitted_at: float
    job_url: str = ""
    namespace: str = "default"
    containers: tuple[str, ...] = ()
    get_logs: bool = True
    shown: tuple[str, ...] = ()
    get_result: bool = False
    result_container: str = ""
    result_nonce: str = ""
    cancel_on_kill: bool = True
    deadline: float | None = None
    queued_deadline: float | None = None
    resubmission: int = 0
    spent: int = 0
    client_id: str = ""
    resubmit_on: tuple[str, ...] = ()
    errors: int = 0
    adopted: bool = False
    not_before: float = 0.0
    end_in_trigger: bool = False

    @property
    def job_id(self) -> str:
        """The id that Armada gave the job."""
        return self.job.job_id

    def shows(self, container: str) -> bool:
        """Tell whether the log of a container is shown, or only searched for a result."""
        return self.get_logs and (not self.shown or container in self.shown)

    def to_dict(self) -> dict[str, Any]:
        """Give the fields that differ from their default, so that an older triggerer still understands most waits."""
        values = {field.name: (getattr(self, field.name), field.default) for field in dataclasses.fields(self)}
        del values["job"]
        return self.job._asdict() | {
            name: list(value) if isinstance(value, tuple) else value
            for name, (value, default) in values.items()
            if value != default
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> JobWait:
        """Read what :meth:`to_dict` gave, also that of another version: what is not known is left out."""
        names = {field.name for field in dataclasses.fields(cls)} - {"job"}
        known: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items() if name in names
        }
        return cls(job=JobRef(*(str(values[part]) for part in JobRef._fields)), **known)


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


def connection_origin(conn_id: str) -> SettingsSource:
    """
    Tell where the settings of a connection come from, so that its changes reach jobs that are followed already.

    :param conn_id: the id of the connection.
    :return: the origin; a process reads it once per ``[armada] connection_cache_ttl``, for all of its jobs.
    """
    from airflow_armada.follow.settings_source import SettingsSource
    from airflow_armada.hooks.armada import ArmadaHook, connection_cache_ttl

    read = partial(ArmadaHook(conn_id).asettings, fresh=True)
    return SettingsSource(f"connection {conn_id!r}", read, max(connection_cache_ttl(), _MIN_REREAD))


async def wait_for_job(
    wait: JobWait,
    settings: SiteSettings,
    reporter: JobObserver,
    *,
    budget: bool = False,
    collector: ResultCollector | None = None,
) -> Outcome:
    """
    Follow a job to its end.

    :param wait: the job and how to wait for it.
    :param settings: the site, as the connection gives it.
    :param reporter: where the job's log and changes of its state go.
    :param budget: whether to show no more live log lines than a triggerer can bear.
    :param collector: receives the result that the job prints; see :func:`result_collector`.
    :return: how the job ended, or that a deadline passed before it did.
    """
    from airflow_armada.follow.follower import FollowOptions, follow
    from airflow_armada.follow.site import shared_site
    from airflow_armada.wait.copies import Copies
    from airflow_armada.wait.metrics import reported

    copies = Copies(wait)
    options = FollowOptions(
        get_logs=wait.get_logs or wait.get_result,
        containers=wait.containers,
        deadline=wait.deadline,
        queued_deadline=wait.queued_deadline,
        live_log_budget=live_log_budget() if budget and wait.get_logs else None,
        line_filter=line_filter(wait, collector),
        duplicate=copies.cancel,
    )
    async with shared_site(settings, source=connection_origin(wait.armada_conn_id)) as site:
        with reported(site) if budget else nullcontext():
            outcome = await follow(site, followed_job(wait), reporter, options)
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


def infrastructure_end(outcome: Outcome) -> str:
    """
    Tell whether a job ended through no fault of its own.

    :param outcome: the end of the job.
    :return: ``preempted``, ``evicted``, ``lease_expired`` or, for every other end, an empty string.
    """
    if outcome.status == "preempted":
        return "preempted"
    if outcome.status != "failed":
        return ""
    if outcome.cause == "Evicted":
        return "evicted"
    return "lease_expired" if outcome.failure_subcategory == "lease-expired" else ""


def make_error_event(wait: JobWait, error: Exception) -> dict[str, Any]:
    """
    Put into an event that the job could not be followed any further.

    :param wait: the job.
    :param error: why not; its text is stored and shown.
    :return: the payload of the trigger's event.
    """
    event = {"version": EVENT_VERSION, "wait": wait.to_dict(), "error": str(error) or type(error).__name__}
    cleaned: dict[str, Any] = storable_value(event)
    return cleaned


def make_event(
    wait: JobWait,
    outcome: Outcome,
    reporter: TaskLogReporter,
    collector: ResultCollector | None = None,
) -> dict[str, Any]:
    """
    Put the end of a job into a small dictionary of builtins.

    Airflow keeps it in a database: a NUL that it cannot store would end the whole triggerer. So what a job or a server
    wrote is cleaned here; a result already is, and it may be longer than other texts.

    :param wait: the job.
    :param outcome: its end.
    :param reporter: what has shown its log: its last lines go into the error, and what it has kept goes into the log
        again, where a second deferral is about to destroy the log of the first.
    :param collector: holds the result that the job printed.
    :return: the payload of the trigger's event.
    """
    event: dict[str, Any] = {"version": EVENT_VERSION, "wait": wait.to_dict(), "outcome": outcome.to_dict()}
    if outcome.status != "succeeded":
        event["last_lines"] = reporter.last_lines()
    if not outcome.logs_complete:
        event["shown_until"] = reporter.shown_until()
    if infrastructure_end(outcome) in wait.resubmit_on:
        event["records"] = reporter.kept_records()
    cleaned: dict[str, Any] = storable_value(event)
    if collector is not None:
        cleaned["result"] = collector.to_dict()
    return cleaned
