"""What waiting for a job needs, in a form that is stored."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_armada.client.job_ref import JobRef
from airflow_armada.client.stored import stored_fields, stored_text


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
    :param memory_limits: of each container that has one, as ``name=2Gi``.
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
    memory_limits: tuple[str, ...] = ()

    @property
    def job_id(self) -> str:
        """The id that Armada gave the job."""
        return self.job.job_id

    @property
    def names_containers(self) -> bool:
        """Whether the lines of its log say which container wrote them; of a single one nobody need be told."""
        return len(self.containers) != 1

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
        """
        Read what :meth:`to_dict` gave, also that of another version: what is not known is left out.

        :param values: as they were stored.
        :return: the wait.
        :raises ValueError: when a value is missing, or is not of its type.
        """
        job = JobRef(*(stored_text(values, part) for part in JobRef._fields))
        return cls(job=job, **stored_fields(cls, values, {"job"}))
