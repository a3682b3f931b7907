"""What the commands ask servers."""

from __future__ import annotations

from argparse import Namespace
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import grpc

from airflow_armada.api import event_pb2, job_pb2
from airflow_armada.api.methods import Event
from airflow_armada.cli.site import settings_from
from airflow_armada.client.channel import open_channel
from airflow_armada.client.client import ArmadaClient
from airflow_armada.client.errors import from_grpc
from airflow_armada.client.failure import ArmadaError
from airflow_armada.client.settings import SiteSettings

_EVENTS = Event.GET_JOB_SET_EVENTS
_HISTORY_TIMEOUT = 120.0  # s

PATIENCE = 5.0
"""Seconds for which a call that fails is tried again: somebody sits in front of the terminal."""


def client_of(arguments: Namespace) -> ArmadaClient:
    """
    :param arguments: see :func:`~airflow_armada.cli.site.settings_from`
    :return: a client of the site, to be closed
    """
    return open_client(settings_from(arguments))


def open_client(settings: SiteSettings) -> ArmadaClient:
    """:return: a client of a site, to be closed"""
    return ArmadaClient.open(settings, retry_timeout=PATIENCE)


def events_so_far(arguments: Namespace, queue: str, job_set: str) -> Iterator[event_pb2.EventStreamMessage]:
    """
    :param queue: the queue
    :param job_set: the job set
    :return: the events of the job set up to now
    :raises ArmadaError: when the server knows no such job set, or refuses
    """
    settings = settings_from(arguments)
    request = event_pb2.JobSetRequest(queue=queue, id=job_set, watch=False, errorIfMissing=True)
    with open_channel(settings) as channel:
        try:
            yield from _EVENTS.bind(channel)(request, timeout=_HISTORY_TIMEOUT, wait_for_ready=True)
        except grpc.RpcError as error:
            raise from_grpc(error, _EVENTS.name) from None


@contextmanager
def site_of(arguments: Namespace) -> Iterator[tuple[SiteSettings, ArmadaClient]]:
    """:return: a context manager that gives the settings of the site and a client"""
    settings = settings_from(arguments)
    with open_client(settings) as client:
        yield settings, client


def job_details(client: ArmadaClient, job_ids: Iterable[str], *, spec: bool = False) -> dict[str, job_pb2.JobDetails]:
    """
    :param spec: whether to ask for the jobs as they were submitted, too
    :return: the details of each job
    :raises ArmadaError: when the server does not know one of them
    """
    wanted = list(dict.fromkeys(job_ids))
    found = client.get_job_details(wanted, expand_job_spec=spec).job_details
    missing = [job_id for job_id in wanted if job_id not in found]
    if missing:
        raise ArmadaError(
            f"the server does not know job {', '.join(missing)}: check the id; a job that was only just submitted "
            "takes a moment to appear, and an old one is deleted after some weeks"
        )
    return {job_id: found[job_id] for job_id in wanted}


def job_sets(client: ArmadaClient, job_ids: Iterable[str]) -> dict[tuple[str, str], list[str]]:
    """
    :return: the jobs by queue and job set: commands name both, and the server ignores jobs that do not belong there
    :raises ArmadaError: when the server does not know one of them
    """
    sets: dict[tuple[str, str], list[str]] = defaultdict(list)
    for job_id, details in job_details(client, job_ids).items():
        sets[details.queue, details.jobset].append(job_id)
    return sets
