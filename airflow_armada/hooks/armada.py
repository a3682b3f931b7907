"""The hook: from an Airflow connection to the settings and clients of an Armada site."""

from __future__ import annotations

import asyncio
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from airflow_armada._compat import AirflowNotFoundException, conf, mask_in_this_process
from airflow_armada._detached import ask_airflow, start_detached
from airflow_armada.client.failure import ArmadaError, SettingsError

if TYPE_CHECKING:
    from airflow_armada.client.client import ArmadaClient
    from airflow_armada.client.settings import SiteSettings
    from airflow_armada.client.site.allowed_credentials import AllowedCredentials
    from airflow_armada.follow.settings_source import SettingsSource

_DEFAULT_TTL = 60.0
_MIN_REREAD = 1.0  # s; each reading of a connection takes a triggerer's supervisor some 60 ms

_cache: dict[str, tuple[float, SiteSettings]] = {}
_cache_lock = threading.Lock()
_FAILURE_TTL = 5.0  # s for which nobody looks up again what could not be read

_Lookup = tuple[float, "asyncio.Task[SiteSettings]"]
_lookups: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, _Lookup]] = weakref.WeakKeyDictionary()


def forget_connections() -> None:
    """Drop all remembered settings, so that the next use of a connection looks it up again."""
    with _cache_lock:
        _cache.clear()


def _remembered(conn_id: str) -> SiteSettings | None:
    with _cache_lock:
        expires, settings = _cache.get(conn_id, (0.0, None))
    return settings if time.monotonic() < expires else None


def _remember(conn_id: str, settings: SiteSettings) -> None:
    with _cache_lock:
        _cache[conn_id] = (time.monotonic() + connection_cache_ttl(), settings)


def connection_cache_ttl() -> float:
    """
    Tell for how long a process uses a connection before it reads it again.

    :return: seconds.
    """
    ttl: float = conf.getfloat("armada", "connection_cache_ttl", fallback=_DEFAULT_TTL)
    return ttl


def _allowed() -> AllowedCredentials:
    """Read from Airflow's configuration what connections may take from its machines."""
    from airflow_armada.client.site.allowed_credentials import allowed_credentials

    options = ("credentials", "credential_variables", "credential_files", "credential_commands")
    return allowed_credentials(*(conf.get("armada", f"allowed_{option}", fallback="") or "" for option in options))


def _mask(settings: SiteSettings) -> None:
    """Keep secrets of the connection out of every task log."""
    from airflow.sdk.log import mask_secret

    from airflow_armada.client.auth.renewing import tell_fetched_tokens
    from airflow_armada.client.site.fields import secrets_of

    tell_fetched_tokens(_mask_token)
    for secret in secrets_of(settings.credentials):
        mask_secret(secret)


_masked_tokens: set[str] = set()
_MOST_MASKED_TOKENS = 500


def _mask_token(token: str) -> None:
    """Keep a token that was fetched out of the logs that this process writes.

    Airflow never forgets what it masks, and looks for all of it in each line: so there is a limit, which a process that
    lives for days reaches.
    """
    if len(_masked_tokens) < _MOST_MASKED_TOKENS and token not in _masked_tokens:
        _masked_tokens.add(token)
        mask_in_this_process(token)


class ArmadaHook(BaseHook):
    """
    Talk to the Armada site of an Airflow connection.

    :param armada_conn_id: id of a connection of type ``armada``.
    """

    conn_name_attr = "armada_conn_id"
    default_conn_name = "armada_default"
    conn_type = "armada"
    hook_name = "Armada"

    def __init__(self, armada_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.armada_conn_id = armada_conn_id

    def settings(self) -> SiteSettings:
        """
        Resolve the connection; a process asks Airflow at most once per ``[armada] connection_cache_ttl``.

        :return: the settings of the site.
        :raises SettingsError: when the connection cannot work as it is.
        :raises AirflowNotFoundException: when there is no such connection.
        """
        return _remembered(self.armada_conn_id) or self._look_up()

    def _look_up(self) -> SiteSettings:
        from airflow_armada.hooks.settings import site_settings

        settings = site_settings(self.get_connection(self.armada_conn_id), _allowed())
        _mask(settings)
        # Here too, because a task that only waits for its job hardly makes a call.
        settings.credentials.announce()
        _remember(self.armada_conn_id, settings)
        return settings

    def known_settings(self) -> SiteSettings:
        """
        Give the newest settings that this process has read of the connection, however old: Airflow is not asked.

        :return: the settings of the site.
        :raises SettingsError: when it has read none.
        """
        with _cache_lock:
            _, settings = _cache.get(self.armada_conn_id, (0.0, None))
        if settings is None:
            raise SettingsError(f"connection {self.armada_conn_id!r} was not read yet")
        return settings

    def current_or_known_settings(self) -> SiteSettings:
        """
        Resolve the connection as it is now, or as it was when it could last be read.

        :return: the settings of the site.
        :raises SettingsError: when it could never be read.
        """
        try:
            return self.settings()
        except Exception:
            return self.known_settings()

    async def asettings(self, *, fresh: bool = False) -> SiteSettings:
        """
        Resolve the connection from a trigger, without blocking its event loop.

        All who ask at the same time wait for one look-up: a triggerer's supervisor answers some twenty a second.

        :param fresh: look it up even if it was read a moment ago.
        :return: the settings of the site.
        :raises SettingsError: when the connection cannot work as it is.
        :raises AirflowNotFoundException: when there is no such connection.
        """
        settings = _remembered(self.armada_conn_id)
        if settings is not None and not fresh:
            return settings
        lookups, now = _lookups.setdefault(asyncio.get_running_loop(), {}), time.monotonic()
        begun, lookup = lookups.get(self.armada_conn_id, (now, None))
        if lookup is None or (lookup.done() and (now > begun + _FAILURE_TTL or lookup.exception() is None)):
            lookup = start_detached(ask_airflow(self._look_up))
            lookups[self.armada_conn_id] = now, lookup
        return await asyncio.shield(lookup)

    def source(self) -> SettingsSource:
        """
        Tell where the settings come from, so that changes of the connection reach jobs that are followed already.

        :return: the source; a process reads it once per ``[armada] connection_cache_ttl``, for all of its jobs.
        """
        from airflow_armada.follow.settings_source import SettingsSource

        read = partial(self.asettings, fresh=True)
        return SettingsSource(f"connection {self.armada_conn_id!r}", read, max(connection_cache_ttl(), _MIN_REREAD))

    async def run(
        self,
        job: Any = None,
        *,
        queue: str = "",
        job_set_id: str = "",
        name: str = "",
        execution_timeout: float | timedelta | None = None,
        queued_timeout: float | timedelta | None = None,
        log: bool | Callable[[str], object] = True,
        get_result: bool = False,
        preemption_retries: int = 0,
        resubmit_on: Sequence[str] = ("preempted",),
        **arguments: Any,
    ) -> Any:
        """
        Run a job from the async code of a task: submit it, show its log, wait for its end.

        Several run at the same time with ``asyncio.gather`` or ``asyncio.TaskGroup``. A call that is cancelled cancels
        its job, as do a kill of the task, its ``execution_timeout``, and its end. A retry of the task takes no job
        over: it cancels what the try before has left, and runs new ones.

        :param job: base: a ``JobSubmitRequestItem``, or a job in any other form that ``job_request`` of the operator
            takes.
        :param queue: queue to submit to; may be left out where ``job`` names one, or where the connection or
            ``[armada]`` has a ``default_queue``.
        :param job_set_id: job set; that of the DAG run by default.
        :param name: name of the job within the task, which its lines in the task log carry; by default its number.
        :param execution_timeout: seconds, or a ``timedelta``, after which the job is cancelled.
        :param queued_timeout: how long it may wait for its start.
        :param log: whether to show its log in the task log; or a function that is given each line instead, in the event
            loop of the caller.
        :param get_result: return the value that the job prints as ``::armada-result::<JSON>``.
        :param preemption_retries: how often to submit it again after an end listed in ``resubmit_on``.
        :param resubmit_on: ends of which the job is innocent: ``preempted``, ``evicted``, ``lease_expired``.
        :param arguments: those of the operator that describe a job, such as ``image``, ``cmds`` and ``env_vars``; laid
            over ``job``.
        :return: the :class:`~airflow_armada.follow.state.outcome.Outcome` of a job that has succeeded; its value with
            ``get_result``.
        :raises ArmadaJobError: of the class that belongs to how the job ended.
        :raises ArmadaRefused: when it is no job that Armada would take.
        :raises ArmadaUnavailable: when Armada does not answer for ten minutes.
        """
        from airflow_armada.hooks.async_jobs import RunOptions, check_arguments, run_job, seconds_of

        check_arguments(arguments)
        options = RunOptions(
            queue=queue,
            job_set_id=job_set_id,
            name=name,
            seconds=seconds_of(execution_timeout, "execution_timeout"),
            queued_seconds=seconds_of(queued_timeout, "queued_timeout"),
            log=log,
            get_result=get_result,
            preemption_retries=preemption_retries,
            resubmit_on=tuple(resubmit_on),
        )
        return await run_job(self, {"job_request": job, **arguments}, options, _context_of_task())

    @contextmanager
    def client(self) -> Iterator[ArmadaClient]:
        """
        Open a client and close its channel afterwards.

        :return: a context manager that gives an :class:`~airflow_armada.client.client.ArmadaClient`.
        """
        with self.get_conn() as client:
            yield client

    def get_conn(self) -> ArmadaClient:
        """
        Open a client that lives as long as the process; prefer :meth:`client`.

        :return: a client of the site.
        """
        from airflow_armada.client.client import ArmadaClient

        return ArmadaClient.open(self.settings())

    def test_connection(self) -> tuple[bool, str]:
        """
        Try the way to the site step by step: address, TLS, credentials, queues, log service.

        Airflow calls it in the API server, for anybody who may edit connections: so it never uses credentials that are
        taken from the machine.

        :return: whether it works, and a line to show: what works, or what does not and how to mend it.
        """
        from airflow_armada.client.site.allowed_credentials import AllowedCredentials
        from airflow_armada.client.site.diagnose import diagnose
        from airflow_armada.hooks.settings import site_settings

        forget_connections()
        elsewhere = f"run `airflow-armada check --conn-id {self.armada_conn_id}` on a worker, as Test never uses them"
        try:
            settings = site_settings(self.get_connection(self.armada_conn_id), AllowedCredentials(refusal=elsewhere))
            _mask(settings)
            diagnosis = diagnose(settings)
        except (ArmadaError, AirflowNotFoundException) as error:
            return False, str(error)
        return diagnosis.ok, diagnosis.summary


def _context_of_task() -> Mapping[str, Any] | None:
    from airflow.sdk import get_current_context

    try:
        return get_current_context()
    except RuntimeError:
        return None


def settings_for_task(hook: ArmadaHook) -> SiteSettings:
    """
    Resolve the connection for a task, which cannot succeed with a broken one.

    :param hook: the hook.
    :return: the settings of the site.
    :raises ArmadaRefused: when the connection cannot work as it is.
    """
    from airflow_armada.exceptions import refused_without_settings

    with refused_without_settings(hook.armada_conn_id):
        return hook.settings()
