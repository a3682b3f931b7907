"""What others see of a job: log line, XCom and return value."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_armada.client.job_ref import JobRef
from airflow_armada.links.armada import JOB_XCOM_KEY

if TYPE_CHECKING:
    from airflow_armada.follow.state.outcome import Outcome
    from airflow_armada.wait.job_wait import JobWait

_FACTS: dict[str, Any] = {
    "status": "",
    "cluster": "",
    "pool": "",
    "node": "",
    "pod": "",
    "run_id": "",
    "exit_codes": {},
    "resources": {},
    "addresses": {},
    "submitted_at": "",
    "leased_at": "",
    "pending_at": "",
    "running_at": "",
    "finished_at": "",
}

log = logging.getLogger("airflow.task.operators.airflow_armada")


def announce(ti: Any, wait: JobWait) -> None:
    """
    Tell of a job before anything waits for it.

    :param ti: Airflow's task instance.
    :param wait: the job.
    """
    what = "Following" if wait.adopted else "Submitted"
    url = f": {wait.job_url}" if wait.job_url else ""
    log.info("%s Armada job %s (queue %s, job set %s)%s", what, wait.job_id, wait.job.queue, wait.job.job_set_id, url)
    value = {
        "job_id": wait.job_id,
        "queue": wait.job.queue,
        "job_set_id": wait.job.job_set_id,
        "lookout_url": wait.job_url,
        "resubmission": wait.resubmission,
        "armada_conn_id": wait.armada_conn_id,
    }
    ti.xcom_push(key=JOB_XCOM_KEY, value=value)


def wait_of(told: Mapping[str, Any], armada_conn_id: str) -> JobWait:
    """
    Read what :func:`announce` told of a job.

    :param told: its XCom.
    :param armada_conn_id: the connection, where the XCom of an older version does not name it.
    :return: the job, as far as cancelling it needs.
    """
    from airflow_armada.wait.job_wait import JobWait

    job = JobRef(*(str(told[part]) for part in JobRef._fields))
    return JobWait(str(told.get("armada_conn_id") or armada_conn_id), job, time.time())


def facts(wait: JobWait, outcome: Outcome | None) -> dict[str, Any]:
    """
    Make the return value of a task.

    :param wait: the job.
    :param outcome: its end; None if nobody waited for it.
    :return: builtins.
    """
    known: dict[str, Any] = {
        "job_id": wait.job_id,
        "queue": wait.job.queue,
        "job_set_id": wait.job.job_set_id,
        "lookout_url": wait.job_url,
        "resubmissions": wait.resubmission,
    }
    if outcome is not None:
        told = outcome.to_dict()
        known |= {name: told.get(name, default) for name, default in _FACTS.items()}
    return known
