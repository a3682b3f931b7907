"""What a job may learn of its task: identity, and traces and lineage where those are in use."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from airflow_armada.tries.identity import JobIdentity
from airflow_armada.tries.task_facts import context_env

IDENTITY = JobIdentity("d", "r", "t", 2, 1)
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7"


def env(**ti: Any) -> dict[str, str]:
    return context_env(IDENTITY, {"ti": SimpleNamespace(**ti)})


def test_the_logical_date_is_known_where_the_run_has_one() -> None:
    at = datetime(2026, 1, 2, tzinfo=UTC)

    assert context_env(IDENTITY, {"logical_date": at})["AIRFLOW_CTX_LOGICAL_DATE"] == "2026-01-02T00:00:00+00:00"
    assert "AIRFLOW_CTX_LOGICAL_DATE" not in context_env(IDENTITY, {"logical_date": None})


def test_a_trace_that_is_recorded_goes_on_in_the_job() -> None:
    carrier = {"traceparent": f"{TRACE}-01", "tracestate": "a=b", "baggage": "user=secret"}

    found = env(context_carrier=carrier)

    assert (found["TRACEPARENT"], found["TRACESTATE"]) == (f"{TRACE}-01", "a=b")
    assert "TRACESTATE" not in env(context_carrier={**carrier, "tracestate": ""})
    assert "secret" not in str(found)


@pytest.mark.parametrize("carrier", [None, {}, {"traceparent": f"{TRACE}-00"}, {"traceparent": "?"}, "nothing"])
def test_a_trace_that_nobody_records_does_not_switch_off_that_of_the_job(carrier: Any) -> None:
    assert "TRACEPARENT" not in env(context_carrier=carrier)


@pytest.mark.parametrize(
    ("disabled", "parent", "expected"),
    [(False, "ns/d.t/0192", "ns/d.t/0192"), (True, "ns/d.t/0192", None), (False, None, None)],
    ids=["on", "off", "broken"],
)
def test_lineage_knows_the_task_as_the_parent_of_the_job(
    monkeypatch: pytest.MonkeyPatch, disabled: bool, parent: str | None, expected: str | None
) -> None:
    """The two functions are those of ``apache-airflow-providers-openlineage``, which needs not be there."""

    def lineage_parent_id(_ti: Any) -> str:
        if parent is None:
            raise RuntimeError("no")
        return parent

    conf, macros = ModuleType("conf"), ModuleType("macros")
    conf.is_disabled = lambda: disabled  # type: ignore[attr-defined]
    macros.lineage_parent_id = lineage_parent_id  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "airflow.providers.openlineage.conf", conf)
    monkeypatch.setitem(sys.modules, "airflow.providers.openlineage.plugins.macros", macros)

    assert env().get("OPENLINEAGE_PARENT_ID") == expected


def test_without_a_task_only_the_identity_is_known() -> None:
    assert context_env(IDENTITY, {}) == {
        "AIRFLOW_CTX_DAG_ID": "d",
        "AIRFLOW_CTX_DAG_RUN_ID": "r",
        "AIRFLOW_CTX_TASK_ID": "t",
        "AIRFLOW_CTX_MAP_INDEX": "2",
        "AIRFLOW_CTX_TRY_NUMBER": "1",
        "AIRFLOW_CTX_RESUBMISSION": "0",
    }
