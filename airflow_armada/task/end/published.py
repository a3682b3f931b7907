"""What the published operator, ``armada-airflow``, leaves in XComs, for DAGs that read it: ``armada_compat_xcom``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_armada.links.armada import link_key
from airflow_armada.task.submit.policy import state_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_armada.follow.state.outcome import Outcome
    from airflow_armada.wait.job_wait import JobWait

_CONTEXT_KEY = "job_context"
_LOOKOUT = "lookout"


def push_published(ti: Any, wait: JobWait, outcome: Outcome | None) -> None:
    """
    Leave the XComs of the published operator; those of its links are ours anyway.

    :param ti: Airflow's task instance.
    :param wait: the job.
    :param outcome: its end; None when it was submitted.
    """
    if outcome is None and wait.job_url:
        ti.xcom_push(key=link_key(_LOOKOUT), value=wait.job_url)
    value = {
        "armada_queue": wait.job.queue,
        "armada_job_id": wait.job_id,
        "armada_job_set_id": wait.job.job_set_id,
        "armada_job_submit_time": wait.submitted_at,
        "armada_job_state": _state(outcome),
        "armada_job_last_log_time": None,
    }
    ti.xcom_push(key=_CONTEXT_KEY, value=value)


def published_facts(wait: JobWait, outcome: Outcome, links: Mapping[str, str]) -> dict[str, Any]:
    """
    Give what the published operator returns, besides what has the same name here.

    :param wait: the job.
    :param outcome: its end.
    :param links: the links of the task, by name.
    :return: builtins.
    """
    lookout = {_LOOKOUT: wait.job_url} if wait.job_url else {}
    return {"armada_queue": wait.job.queue, "job_state": _state(outcome), "links": {**lookout, **links}}


def _state(outcome: Outcome | None) -> str:
    return state_of(outcome.status).name if outcome is not None else "UNKNOWN"
