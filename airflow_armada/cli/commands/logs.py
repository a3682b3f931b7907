"""``airflow-armada logs``."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Sequence

from airflow_armada.api import job_pb2
from airflow_armada.cli.output import OK, Output
from airflow_armada.cli.remote import PATIENCE, job_details, site_of
from airflow_armada.client.calls.call import CallPolicy
from airflow_armada.client.calls.drivers import Driver
from airflow_armada.client.channel import open_channel
from airflow_armada.client.client import ArmadaClient
from airflow_armada.client.errors import ArmadaError, ArmadaRpcError, NotFound, SettingsError
from airflow_armada.client.foreign_text import printable
from airflow_armada.client.log_client import LogPager, logs_page
from airflow_armada.client.log_cursor import Line
from airflow_armada.client.settings import SiteSettings
from airflow_armada.client.typings import JobState
from airflow_armada.follow.state.job_details import container_names

_INTERVAL = 1.0
_LONGEST = 1 << 20  # characters of a line
_NOT_YET = ("waiting to start", "ContainerCreating", "PodInitializing")


def logs(arguments: Namespace, output: Output) -> int:
    """Show the log of a job."""
    with site_of(arguments) as (settings, client):
        details = _placed(client, arguments.job, wait=arguments.follow)
        containers = [arguments.container] if arguments.container else _containers(details)
        cluster = details.job_runs[0].cluster
        with open_channel(settings, _log_service(settings, cluster), log_service=True) as channel:
            driver = Driver(channel, CallPolicy(settings.call_timeout, PATIENCE))
            logs = [_Log(driver, details, container) for container in containers]
            _show(client, logs, arguments, output)
    return OK


class _Log:
    """The log of one container of a job, from where it has been read to."""

    def __init__(self, driver: Driver, details: job_pb2.JobDetails, container: str) -> None:
        self.job_id = details.job_id
        self.container = container
        self._namespace = details.namespace or "default"
        self._driver = driver
        self._pager = LogPager()
        self.found = False

    def more(self) -> Sequence[Line]:
        """:return: the next lines, in order and each one once; none when there are no more for now"""
        call = logs_page(
            self.job_id, namespace=self._namespace, container=self.container, since_time=self._pager.since_time
        )
        page = self._driver.run(call)
        lines = self._pager.take(page)
        self.found = True
        return lines


def _show(client: ArmadaClient, logs: list[_Log], arguments: Namespace, output: Output) -> None:
    while True:
        ended = not arguments.follow or _ended(client, arguments.job)
        for log in logs:
            try:
                while _print(log, arguments.timestamps, log.container if len(logs) > 1 else "", output):
                    pass
            except ArmadaRpcError as error:
                if ended or not _worth_waiting(error):
                    raise _without_pod(error, log) from None
        if ended:
            return
        time.sleep(_INTERVAL)


def _print(log: _Log, timestamps: bool, container: str, output: Output) -> bool:
    lines = log.more()
    for line in lines:
        text = line.line.decode("utf-8", "replace")
        value = {"time": line.timestamp, "container": log.container, "line": text}
        head = (f"{line.timestamp} " if timestamps else "") + (f"[{container}] " if container else "")
        output.both(head + printable(text, _LONGEST), value)
    return bool(lines)


def _worth_waiting(error: ArmadaRpcError) -> bool:
    return isinstance(error, NotFound) or error.transient or any(text in error.details() for text in _NOT_YET)


def _without_pod(error: ArmadaRpcError, log: _Log) -> ArmadaError:
    if not isinstance(error, NotFound):
        return error
    rest = "the rest of its log is lost" if log.found else "its log is lost"
    return ArmadaError(f"the pod of job {log.job_id} is gone: pods are deleted minutes after their end, and {rest}")


def _placed(client: ArmadaClient, job_id: str, *, wait: bool) -> job_pb2.JobDetails:
    """:return: details of a job that has a run, and so a cluster"""
    while True:
        details = job_details(client, [job_id], spec=True)[job_id]
        if details.job_runs and details.job_runs[0].cluster:
            return details
        if not wait or _is_terminal(details.state):
            raise ArmadaError(f"job {job_id} has no log: it has not run on any cluster; try `airflow-armada why`")
        time.sleep(_INTERVAL)


def _ended(client: ArmadaClient, job_id: str) -> bool:
    return _is_terminal(job_details(client, [job_id])[job_id].state)


def _is_terminal(state: int) -> bool:
    return JobState(state).is_terminal()


def _containers(details: job_pb2.JobDetails) -> list[str]:
    """Give the names of the containers; one without a name where the server does not tell."""
    return container_names(details) or [""]


def _log_service(settings: SiteSettings, cluster: str) -> str:
    target = settings.binoculars_target(cluster)
    if not target:
        raise SettingsError(
            f"no log service is known for cluster {cluster!r}: set binoculars (host:port) for this site"
        )
    return target
