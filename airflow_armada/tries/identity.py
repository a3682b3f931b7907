"""The identity of a job: what makes a repeated submit find the job that exists instead of making another."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from urllib.parse import quote

LABEL_PREFIX = "airflow.apache.org/"

_MAX_JOB_SET_BYTES = 1000  # the server wants fewer than 1024
_MAX_URI_BYTES = 1000  # Lookout cuts the column at 1024
_MAX_NAME = 60  # characters of a job's name in its URI
_MAX_LABEL = 63  # Kubernetes' limit for a label value


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, separators=(",", ":")).encode()).hexdigest()


def _shorten(text: str, limit: int) -> str:
    """Cut ``text`` to ``limit`` bytes of UTF-8; what is cut off lives on in a digest, so that texts stay apart."""
    raw = text.encode()
    if len(raw) <= limit:
        return text
    tail = "~" + _digest(text)[:32]
    return raw[: limit - len(tail)].decode(errors="ignore") + tail


def default_job_set_id(dag_id: str, run_id: str) -> str:
    """
    Name the job set that all tasks of a DAG run share, and with it one event stream.

    :param dag_id: id of the DAG.
    :param run_id: id of the DAG run.
    :return: ``<dag_id>.<run_id>``, shortened where the server would refuse it.
    """
    return _shorten(f"{dag_id}.{run_id}", _MAX_JOB_SET_BYTES)


def _label_value(text: str) -> str:
    """Turn ``text`` into a Kubernetes label value; what has to change is told apart by a digest."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "_" for c in text)
    if plain == text and len(plain) <= _MAX_LABEL and plain[:1].isalnum() and plain[-1:].isalnum():
        return plain
    head = plain[: _MAX_LABEL - 9].strip("-_.")
    return f"{head}-{_digest(text)[:8]}" if head else _digest(text)[:8]


@dataclass(frozen=True)
class JobIdentity:
    """
    Which job of which try of which task, and nothing else.

    :param dag_id: id of the DAG.
    :param run_id: id of the DAG run.
    :param task_id: id of the task.
    :param map_index: index of the mapped task, -1 if it is not mapped.
    :param try_number: number of the try, from 1.
    :param resubmission: how often the job was resubmitted within the try.
    :param scope: sets deployments apart that share queues, DAG ids and run ids.
    :param loop: which pass of which dynamic loop (Airflow 3.4), as ``<region id>.<index>``; empty outside of loops.
        All passes have the same map index and count their tries from 1.
    :param job: name of the job where a task has several; empty for the job that a task is.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int
    resubmission: int = 0
    scope: str = ""
    loop: str = ""
    job: str = ""

    @property
    def client_id(self) -> str:
        """Armada's deduplication id, at most 100 bytes; the same identity has the same one for ever."""
        # Outside of loops they stay as they were before there were any: a retry finds the job across an upgrade.
        passes = (self.loop,) if self.loop else ()
        job = ("job", self.job) if self.job else ()
        task = _digest(self.scope, self.dag_id, self.run_id, self.task_id, self.map_index, *passes, *job)
        return f"airflow-{task}-{self.try_number}-{self.resubmission}"

    @property
    def external_job_uri(self) -> str:
        """URI under which the job is found when only its identity is known."""
        parts = (self.scope, self.dag_id, self.run_id, self.task_id)
        path = "/".join(quote(part, safe="") for part in parts)
        numbers = f"{self.map_index}/{self.try_number}/{self.resubmission}"
        if self.job:
            name = self.job if len(self.job) <= _MAX_NAME else _digest(self.job)
            numbers = f"job={quote(name, safe='')}/{numbers}"
        if self.loop:
            numbers = f"{quote(self.loop, safe='')}/{numbers}"
        uri = f"airflow://{path}/{numbers}"
        if len(uri) <= _MAX_URI_BYTES:
            return uri
        return f"airflow://{_digest(*parts)}/{numbers}"

    @property
    def result_nonce(self) -> str:
        """What the job may put into the marker of its result; the same in all tries: one takes over another's job."""
        job = (self.job,) if self.job else ()
        return _digest("result", self.scope, self.dag_id, self.run_id, self.task_id, self.map_index, *job)[:16]

    def labels(self) -> dict[str, str]:
        """
        Labels for the pod, by which a cluster's tools can select the jobs of a DAG or task.

        :return: valid Kubernetes labels; values that are not valid as they are get a digest.
        """
        mapped = {f"{LABEL_PREFIX}map-index": str(self.map_index)} if self.map_index >= 0 else {}
        return mapped | {
            f"{LABEL_PREFIX}dag-id": _label_value(self.dag_id),
            f"{LABEL_PREFIX}run-id": _label_value(self.run_id),
            f"{LABEL_PREFIX}task-id": _label_value(self.task_id),
            f"{LABEL_PREFIX}try-number": str(self.try_number),
        }

    def annotations(self) -> dict[str, str]:
        """
        Annotations for the job, which Lookout shows and which carry the exact ids.

        :return: Kubernetes annotations.
        """
        passes = {f"{LABEL_PREFIX}loop": self.loop} if self.loop else {}
        job = {f"{LABEL_PREFIX}job": self.job} if self.job else {}
        return (
            passes
            | job
            | {
                f"{LABEL_PREFIX}dag-id": self.dag_id,
                f"{LABEL_PREFIX}run-id": self.run_id,
                f"{LABEL_PREFIX}task-id": self.task_id,
                f"{LABEL_PREFIX}map-index": str(self.map_index),
                f"{LABEL_PREFIX}try-number": str(self.try_number),
                f"{LABEL_PREFIX}resubmission": str(self.resubmission),
            }
        )
