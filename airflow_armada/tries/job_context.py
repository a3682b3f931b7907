"""What a job may know about the task that submitted it: environment variables, never secrets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from airflow_armada.tries.identity import JobIdentity

_TRACE_KEYS = ("traceparent", "tracestate")
LINEAGE_PARENT = "OPENLINEAGE_PARENT_ID"
LINEAGE_ROOT = "OPENLINEAGE_ROOT_PARENT_ID"
"""What OpenLineage's integrations read, each as ``namespace/job name/run id``."""


@dataclass(frozen=True)
class JobContext:
    """The facts of one try of one task, for the job's environment.

    :param identity: which try of which task
    :param logical_date: RFC 3339 time, or empty for runs without one
    :param trace_carrier: W3C trace context of the task, as OpenTelemetry's propagators write it
    :param loop_index: number of the pass of the dynamic loop around the task, or empty
    :param lineage: OpenLineage's names of the task and of the DAG run, by variable
    """

    identity: JobIdentity
    logical_date: str = ""
    trace_carrier: Mapping[str, str] = field(default_factory=dict)
    loop_index: str = ""
    lineage: Mapping[str, str] = field(default_factory=dict)

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
            "AIRFLOW_CTX_LOOP_INDEX": self.loop_index,
            "AIRFLOW_CTX_TRY_NUMBER": str(identity.try_number),
            "AIRFLOW_CTX_LOGICAL_DATE": self.logical_date,
            "AIRFLOW_CTX_RESUBMISSION": str(identity.resubmission),
            **{name: self.lineage.get(name, "") for name in (LINEAGE_PARENT, LINEAGE_ROOT)},
            **{key.upper(): self.trace_carrier.get(key) or "" for key in _TRACE_KEYS},
        }
        return {name: value for name, value in known.items() if value}
