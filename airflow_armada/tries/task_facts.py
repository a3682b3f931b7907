"""What a job is told about its task, out of Airflow's context."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from airflow_armada.tries.identity import JobIdentity
from airflow_armada.tries.job_context import LINEAGE_PARENT, LINEAGE_ROOT, JobContext

log = logging.getLogger(__name__)

_SAMPLED = 0x01  # of the flags that end a W3C trace parent


def job_context(identity: JobIdentity, context: Mapping[str, Any]) -> JobContext:
    """
    Collect what the job's environment may tell.

    :param identity: identity of the job.
    :param context: Airflow's context; may be empty.
    :return: the facts.
    """
    logical_date, ti, loop = context.get("logical_date"), context.get("ti"), context.get("loop")
    return JobContext(
        identity,
        logical_date=logical_date.isoformat() if logical_date else "",
        loop_index=str(loop.index) if loop is not None else "",
        trace_carrier=_trace_carrier(ti),
        lineage=_lineage(ti),
    )


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
        found = {LINEAGE_PARENT: macros.lineage_parent_id(ti)}
        if root := getattr(macros, "lineage_root_parent_id", None):  # not in old versions
            found[LINEAGE_ROOT] = root(ti)
    except ImportError:
        return {}
    except Exception as error:
        log.debug("No OpenLineage parent: %s", error)
        return {}
    return found
