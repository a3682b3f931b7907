"""What OpenLineage learns of a job."""

from __future__ import annotations

from importlib import import_module
from typing import Any

SOURCE = "armada"


def job_lineage(job_id: str) -> Any:
    """
    Say in OpenLineage's terms which job did the work of a task; only its provider calls this.

    :param job_id: id of the job, or empty.
    :return: an ``OperatorLineage`` with the facet ``externalQuery``; None when there is no job.
    """
    if not job_id:
        return None
    extractors = import_module("airflow.providers.openlineage.extractors")
    facets = import_module("openlineage.client.facet_v2")
    facet = facets.external_query_run.ExternalQueryRunFacet(externalQueryId=job_id, source=SOURCE)
    return extractors.OperatorLineage(run_facets={"externalQuery": facet})
