"""What a job may know about the task that submitted it: environment variables, never secrets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from airflow_armada.jobs.identity import JobIdentity

_TRACE_KEYS = ("traceparent", "tracestate")


@dataclass(frozen=True)
class JobContext:
    """The facts of one try of one task, for the job's environment.

    :param identity: which try of which task
    :param logical_date: RFC 3339 time, or empty for runs without one
    :param trace_carrier: W3C trace context of the task, as OpenTelemetry's propagators write it
    :param lineage_parent: OpenLineage's ``namespace/job/run id`` of the task, or empty
    """

    identity: JobIdentity
    logical_date: str = ""
    trace_carrier: Mapping[str, str] = field(default_factory=dict)
    lineage_parent: str = ""

    def env(self) -> dict[str, str]:
        """Environment variables; those that Airflow sets for its own tasks have Airflow's names.

        :return: name to value, without those that are not known
        """
        identity = self.identity
        known = {
            "AIRFLOW_CTX_DAG_ID": identity.dag_id,
            "AIRFLOW_CTX_DAG_RUN_ID": identity.run_id,
            "AIRFLOW_CTX_TASK_ID": identity.task_id,
            "AIRFLOW_CTX_MAP_INDEX": str(identity.map_index),
            "AIRFLOW_CTX_TRY_NUMBER": str(identity.try_number),
            "AIRFLOW_CTX_LOGICAL_DATE": self.logical_date,
            "AIRFLOW_CTX_RESUBMISSION": str(identity.resubmission),
            "OPENLINEAGE_PARENT_ID": self.lineage_parent,
            **{key.upper(): self.trace_carrier.get(key) or "" for key in _TRACE_KEYS},
        }
        return {name: value for name, value in known.items() if value}
