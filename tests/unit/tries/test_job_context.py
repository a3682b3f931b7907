"""What a job is told about the task that submitted it."""

from __future__ import annotations

from airflow_armada.tries.identity import JobIdentity
from airflow_armada.tries.job_context import JobContext

IDENTITY = JobIdentity("dag", "manual__1", "group.task", 3, 2, resubmission=1)


def test_the_facts_of_the_try() -> None:
    assert JobContext(IDENTITY).env() == {
        "AIRFLOW_CTX_DAG_ID": "dag",
        "AIRFLOW_CTX_DAG_RUN_ID": "manual__1",
        "AIRFLOW_CTX_TASK_ID": "group.task",
        "AIRFLOW_CTX_MAP_INDEX": "3",
        "AIRFLOW_CTX_TRY_NUMBER": "2",
        "AIRFLOW_CTX_RESUBMISSION": "1",
    }


def test_what_is_known_beyond_them() -> None:
    carrier = {"traceparent": "00-a-b-01", "tracestate": "", "baggage": "user=secret"}
    lineage = {"OPENLINEAGE_PARENT_ID": "n/j/r", "OPENLINEAGE_ROOT_PARENT_ID": "n/d/s", "TOKEN": "secret"}
    env = JobContext(IDENTITY, logical_date="2026-01-01T00:00:00Z", trace_carrier=carrier, lineage=lineage).env()
    assert env["AIRFLOW_CTX_LOGICAL_DATE"] == "2026-01-01T00:00:00Z"
    assert env["TRACEPARENT"] == "00-a-b-01"
    assert (env["OPENLINEAGE_PARENT_ID"], env["OPENLINEAGE_ROOT_PARENT_ID"]) == ("n/j/r", "n/d/s")
    assert "TRACESTATE" not in env
    assert "secret" not in str(env)
