"""A request as a person reads it: YAML in the shape of an armadactl submit file, which can be submitted as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_armada.api import submit_pb2
from airflow_armada.jobs.kubernetes.convert import message_to_dict
from airflow_armada.jobs.kubernetes.yaml_text import dump

_FIRST = ("name", "namespace", "priority", "clientId", "image", "command", "args")


def render(item: submit_pb2.JobSubmitRequestItem, queue: str = "", job_set_id: str = "") -> str:
    """One job as YAML.

    :param item: the job
    :param queue: its queue, or empty
    :param job_set_id: its job set, or empty
    :return: an armadactl submit file with this job
    """
    return render_request([item], queue, job_set_id)


def render_request(items: Sequence[submit_pb2.JobSubmitRequestItem], queue: str = "", job_set_id: str = "") -> str:
    """Several jobs as YAML.

    :param items: the jobs
    :param queue: their queue, or empty
    :param job_set_id: their job set, or empty
    :return: an armadactl submit file with these jobs
    """
    file: dict[str, Any] = {}
    if queue:
        file["queue"] = queue
    if job_set_id:
        file["jobSetId"] = job_set_id
    file["jobs"] = [_ordered(message_to_dict(item)) for item in items]
    return dump(file)


def _ordered(value: Any) -> Any:
    """What identifies an object stands at its head, as people write it."""
    if isinstance(value, list):
        return [_ordered(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    keys = [key for key in _FIRST if key in value] + [key for key in value if key not in _FIRST]
    return {key: _ordered(value[key]) for key in keys}
