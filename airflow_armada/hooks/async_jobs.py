"""Jobs that the async code of a task submits, follows to their end, and cancels when it is cancelled."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from airflow_armada._detached import run_detached
from airflow_armada.client.job_ref import JobRef
from airflow_armada.exceptions import ArmadaRefused, job_error, refused_without_settings
from airflow_armada.hooks.async_submit import cancel_all, find, submit
from airflow_armada.hooks.job_defaults import job_defaults
from airflow_armada.hooks.site_rules import site_rules
from airflow_armada.tries.attempt import Attempt
from airflow_armada.tries.identity import JobIdentity, default_job_set_id
from airflow_armada.tries.task_facts import identity_arguments
from airflow_armada.wait.cancel import OVERDUE, STOPPED_WAITING
from airflow_armada.wait.event import infrastructure_end
from airflow_armada.wait.following import result_collector, wait_for_job
from airflow_armada.wait.job_lines import JobLines
from airflow_armada.wait.job_wait import JobWait
from airflow_armada.wait.metrics import count_end
from airflow_armada.wait.patience import BEFORE_RESUBMISSIONS
from airflow_armada.wait.result import check_log_service, result_of
from airflow_armada.wait.shared_loop import SHARED
from airflow_armada.wait.worker_loop import show_rest_of_log

if TYPE_CHECKING:
    from airflow_armada.client.job_defaults import JobDefaults
    from airflow_armada.client.settings import SiteSettings
    from airflow_armada.follow.settings_source import SettingsSource
    from airflow_armada.follow.state.outcome import Outcome
    from airflow_armada.jobs.build import JobRequest
    from airflow_armada.jobs.results import ResultCollector

_EARLIER_TRIES = 20  # whose jobs are looked for
_LEFT = "left by an earlier try of the task"
_NOT_GIVEN = frozenset(
    {
        "job_request",
        "client_id",
        "external_job_uri",
        "identity_labels",
        "identity_annotations",
        "context_env",
        "defaults",
    }
)

log = logging.getLogger("airflow.task.operators.airflow_armada")


class Connection(Protocol):
    """The part of the hook that is used here."""

    armada_conn_id: str

    async def asettings(self) -> SiteSettings:
        """Give the settings of the site."""

    def known_settings(self) -> SiteSettings:
        """Give them as they were read last."""

    def source(self) -> SettingsSource:
        """Tell where they come from."""


@dataclass(frozen=True)
class RunOptions:
    """
    How a job is run; :meth:`~airflow_armada.hooks.armada.ArmadaHook.run` describes them.

    :param seconds: for which it may run, counted from the call.
    :param queued_seconds: after which it must have started.
    """

    queue: str
    job_set_id: str
    name: str
    seconds: float | None
    queued_seconds: float | None
    log: bool | Callable[[str], object]
    get_result: bool
    preemption_retries: int
    resubmit_on: tuple[str, ...]


async def run_job(
    connection: Connection, arguments: Mapping[str, Any], options: RunOptions, context: Mapping[str, Any] | None
) -> Any:
    """
    Run a job in the loop that all jobs of this process share.

    :param connection: leads to the site.
    :param arguments: those of :class:`~airflow_armada.jobs.job_spec.JobSpec`.
    :param options: how to run it.
    :param context: Airflow's context; None outside of a task.
    :return: its outcome, or the value that it printed.
    """
    identity = _identity(context, options.name)
    job = _Job(connection, arguments, options, identity, context or {})
    if context is not None:
        _end_with(context["ti"].task)
    return await SHARED.run(job.run)


def seconds_of(value: float | timedelta | None, name: str) -> float | None:
    """
    Read a duration.

    :param value: seconds, or a ``timedelta``.
    :param name: of the argument.
    :return: seconds.
    :raises ValueError: when it is none.
    """
    if value is None:
        return None
    number = value.total_seconds() if isinstance(value, timedelta) else float(value)
    if not number > 0:
        raise ValueError(f"{name} must be more than 0 seconds, not {number:g}")
    return number


def _end_with(task: Any) -> None:
    """Let Airflow's handler of kills and of ``execution_timeout`` end the jobs as well, once for each task."""
    earlier = task.on_kill
    if getattr(earlier, "func", None) is not _on_kill:
        task.on_kill = partial(_on_kill, earlier)


def _on_kill(earlier: Callable[[], None]) -> None:
    SHARED.end()
    earlier()


_names: dict[str, set[str]] = {}
"""By the client id of a try: the jobs that it has begun in this process."""


def _identity(context: Mapping[str, Any] | None, name: str) -> JobIdentity:
    """Name a job: by its task and try, and among the jobs of those by its name, or by the order of the calls."""
    if context is None:
        return JobIdentity("", uuid.uuid4().hex, "", -1, 1, job=name or "1")
    task = Attempt.of(context, context["ti"].task.retries or 0).identity()
    names = _names.setdefault(task.client_id, set())
    name = name or str(len(names) + 1)
    if name in names:
        raise ValueError(f"this task has already run a job called {name!r}; each needs a name of its own")
    names.add(name)
    return replace(task, job=name)


class _Job:
    def __init__(
        self,
        connection: Connection,
        arguments: Mapping[str, Any],
        options: RunOptions,
        identity: JobIdentity,
        context: Mapping[str, Any],
    ) -> None:
        self._connection = connection
        self._arguments = arguments
        self._options = options
        self._identity = identity
        self._context = context
        self._deadline = time.time() + options.seconds if options.seconds else None
        self._caller = asyncio.get_running_loop()

    async def run(self) -> Any:
        settings = await self._settings()
        self._defaults = self._find_defaults(settings)
        self._request = self._build(self._identity)
        self._place = self._find_place()
        if self._options.get_result:
            check_log_service(settings, self._connection.armada_conn_id)
        await self._end_earlier_tries()
        spent = 0
        while True:
            wait = await self._submit(spent)
            try:
                outcome, collector, lines = await self._follow(wait)
            except BaseException:
                await run_detached(cancel_all([wait.job], self._current_settings, STOPPED_WAITING))
                raise
            count_end(wait, outcome)
            end = infrastructure_end(outcome)
            if end not in self._options.resubmit_on or spent >= self._options.preemption_retries:
                return await self._conclude(wait, outcome, collector, lines)
            log.warning("Armada job %s was %s; submitting it again", wait.job_id, end.replace("_", " "))
            await asyncio.sleep(BEFORE_RESUBMISSIONS.pause(spent))
            spent += 1

    def _find_defaults(self, settings: SiteSettings) -> JobDefaults:
        with refused_without_settings(self._connection.armada_conn_id):
            return job_defaults(settings)

    def _build(self, identity: JobIdentity) -> JobRequest:
        from airflow_armada.jobs.build import build_request, gather_gang_again
        from airflow_armada.jobs.job_spec import JobSpec

        told = identity_arguments(identity, self._context, get_result=self._options.get_result)
        try:
            request = build_request(JobSpec(**self._arguments, **told, defaults=self._defaults))
        except ValueError as error:
            raise ArmadaRefused(str(error)) from None
        gather_gang_again(request.item, identity.resubmission)
        return request

    def _find_place(self) -> JobRef:
        """Check the job, and tell where it goes."""
        from airflow_armada.jobs.checks.check import check, warnings

        identity, request = self._identity, self._request
        queue = self._options.queue or request.queue or self._defaults.queue
        job_set_id = self._options.job_set_id or request.job_set_id
        if identity.dag_id:
            job_set_id = job_set_id or default_job_set_id(identity.dag_id, identity.run_id)
        try:
            rules = site_rules(self._connection.armada_conn_id)
            check(request.item, queue, job_set_id, rules)
        except ValueError as error:
            raise ArmadaRefused(str(error)) from None
        for note in (*request.notes, *warnings(request.item, rules)):
            log.info("%s", note)
        return JobRef(queue, job_set_id, "")

    async def _settings(self) -> SiteSettings:
        with refused_without_settings(self._connection.armada_conn_id):
            return await self._connection.asettings()

    async def _current_settings(self) -> SiteSettings:
        """Give the settings as they are now, or as they could last be read."""
        with suppress(Exception):
            return await self._connection.asettings()
        return self._connection.known_settings()

    async def _end_earlier_tries(self) -> None:
        """Cancel what a try left whose worker died: this one begins anew."""
        last = self._identity.try_number - 1
        for try_number in range(max(1, last - _EARLIER_TRIES + 1), last + 1):
            for number in range(self._options.preemption_retries + 1):
                earlier = replace(self._identity, try_number=try_number, resubmission=number)
                if left := await find(self._place, earlier.external_job_uri, self._current_settings):
                    await cancel_all(left, self._current_settings, _LEFT)

    async def _submit(self, resubmission: int) -> JobWait:
        from airflow_armada.jobs.build import main_pod_spec

        identity = replace(self._identity, resubmission=resubmission)
        request = self._request if identity == self._identity else self._build(identity)
        submitted_at, options = time.time(), self._options
        job_id = await submit(self._place, request.item, self._current_settings)
        settings = await self._current_settings()
        wait = JobWait(
            armada_conn_id=self._connection.armada_conn_id,
            job=self._place._replace(job_id=job_id),
            submitted_at=submitted_at,
            job_url=settings.job_url(job_id),
            namespace=request.item.namespace,
            containers=tuple(container.name for container in main_pod_spec(request.item).containers),
            get_logs=options.log is not False,
            get_result=options.get_result,
            result_container=request.container if options.get_result else "",
            result_nonce=identity.result_nonce if options.get_result else "",
            deadline=self._deadline,
            queued_deadline=submitted_at + options.queued_seconds if options.queued_seconds else None,
            resubmission=resubmission,
            client_id=identity.client_id,
        )
        where = f"(queue {wait.job.queue}, job set {wait.job.job_set_id})"
        log.info(
            "Submitted Armada job %s %s as %s%s", job_id, where, identity.job, wait.job_url and f": {wait.job_url}"
        )
        return wait

    async def _follow(self, wait: JobWait) -> tuple[Outcome, ResultCollector | None, list[str]]:
        take = self._options.log if callable(self._options.log) else None
        lines = JobLines(self._identity.job, take, self._caller, name_containers=wait.names_containers)
        collector = result_collector(wait)
        settings = await self._current_settings()
        outcome = await wait_for_job(wait, settings, self._connection.source(), lines, collector=collector)
        if not outcome.logs_complete:
            outcome, _ = await show_rest_of_log(wait, settings, outcome, {}, collector, lines)
        await lines.flush()
        return outcome, collector, lines.last_lines()

    async def _conclude(
        self, wait: JobWait, outcome: Outcome, collector: ResultCollector | None, lines: Sequence[str]
    ) -> Any:
        if outcome.status == "succeeded":
            return outcome if collector is None else result_of(wait, outcome, collector, lambda _: None)
        if outcome.status in OVERDUE:
            await run_detached(cancel_all([wait.job], self._current_settings, OVERDUE[outcome.status]))
        if collector is not None and (error := collector.remote_error()):
            outcome = replace(outcome, reason=f"{error.type}: {error.message}")
        raise job_error(outcome, job_url=wait.job_url, last_lines=lines)


def check_arguments(arguments: Mapping[str, Any]) -> None:
    """
    Refuse what is no argument of a job.

    :param arguments: by name.
    :raises TypeError: naming the first one that is unknown.
    """
    from airflow_armada.jobs.job_spec import JobSpec

    known = {field.name for field in fields(JobSpec)} - _NOT_GIVEN
    for name in arguments:
        if name not in known:
            raise TypeError(f"run() has no argument {name!r}; a job takes {', '.join(sorted(known))}")
