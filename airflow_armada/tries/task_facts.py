"""What a job is told about its task, out of Airflow's context: environment variables, never secrets."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from airflow_armada.tries.identity import JobIdentity

log = logging.getLogger(__name__)

_LINEAGE_PARENT = "OPENLINEAGE_PARENT_ID"
_LINEAGE_ROOT = "OPENLINEAGE_ROOT_PARENT_ID"
"""What OpenLineage's integrations read, each as ``namespace/job name/run id``."""

_TRACE_KEYS = ("traceparent", "tracestate")
_SAMPLED = 0x01  # of the flags that end a W3C trace parent


def identity_arguments(identity: JobIdentity, context: Mapping[str, Any], *, get_result: bool) -> dict[str, Any]:
    """
    Give those arguments of a :class:`~airflow_armada.jobs.job_spec.JobSpec` that no author gives.

    :param identity: identity of the job.
    :param context: Airflow's context; may be empty.
    :param get_result: whether the job prints a result, whose lines a nonce tells from others.
    :return: arguments by name.
    """
    from airflow_armada.jobs.results import NONCE_VARIABLE

    nonce = {NONCE_VARIABLE: identity.result_nonce} if get_result else {}
    return {
        "client_id": identity.client_id,
        "external_job_uri": identity.external_job_uri,
        "identity_labels": identity.labels(),
        "identity_annotations": identity.annotations(),
        "context_env": context_env(identity, context) | nonce,
    }


def context_env(identity: JobIdentity, context: Mapping[str, Any]) -> dict[str, str]:
    """
    Collect what the job's environment may tell; what Airflow sets for its own tasks has Airflow's names.

    :param identity: identity of the job.
    :param context: Airflow's context; may be empty.
    :return: name to value, without those that are not known.
    """
    logical_date, ti, loop = context.get("logical_date"), context.get("ti"), context.get("loop")
    carrier = _trace_carrier(ti)
    known = {
        "AIRFLOW_CTX_DAG_ID": identity.dag_id,
        "AIRFLOW_CTX_DAG_RUN_ID": identity.run_id,
        "AIRFLOW_CTX_TASK_ID": identity.task_id,
        "AIRFLOW_CTX_MAP_INDEX": str(identity.map_index),
        "AIRFLOW_CTX_LOOP_INDEX": str(loop.index) if loop is not None else "",
        "AIRFLOW_CTX_TRY_NUMBER": str(identity.try_number),
        "AIRFLOW_CTX_LOGICAL_DATE": logical_date.isoformat() if logical_date else "",
        "AIRFLOW_CTX_RESUBMISSION": str(identity.resubmission),
        **{key.upper(): carrier.get(key) or "" for key in _TRACE_KEYS},
        **_lineage(ti),
    }
    return {name: value for name, value in known.items() if value}


def _trace_carrier(ti: Any) -> Mapping[str, str]:
    """Give the trace of the task if it is recorded: one that is not, which Airflow always has, would switch off the
    tracing of the job."""
    carrier = getattr(ti, "context_carrier", None) or {}
    try:
        recorded = int(carrier.get("traceparent", "").rpartition("-")[2], 16) & _SAMPLED
    except (ValueError, AttributeError):
        return {}
    return carrier if recorded else {}


def _lineage(ti: Any) -> Mapping[str, str]:
    """Give OpenLineage's names of this run and of its DAG run where its provider is there and in use; it never fails a
    task."""
    if ti is None:
        return {}
    try:
        if import_module("airflow.providers.openlineage.conf").is_disabled():
            return {}
        macros = import_module("airflow.providers.openlineage.plugins.macros")
        found = {_LINEAGE_PARENT: macros.lineage_parent_id(ti)}
        if root := getattr(macros, "lineage_root_parent_id", None):  # not in old versions
            found[_LINEAGE_ROOT] = root(ti)
    except ImportError:
        return {}
    except Exception as error:
        log.debug("No OpenLineage parent: %s", error)
        return {}
    return found
