"""A job goes on with the trace of its task and knows its OpenLineage parent, where Airflow has these switched on; and
its metrics reach StatsD."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airflow_armada.standalone.server import StandaloneArmada
from tests.support.airflow_api import DagRun
from tests.support.airflow_stack import AirflowStack
from tests.support.components import wait_until
from tests.support.statsd import StatsdListener
from tests.support.trace_receiver import TraceReceiver

MODES = ("deferred", "blocking")
by_mode = pytest.mark.parametrize("mode", MODES)


@dataclass(frozen=True)
class Observed:
    """A run on an Airflow that records its traces and its lineage.

    :param run: the run
    :param traces: what has received the traces
    :param events: file with OpenLineage's events, one a line
    :param statsd: what has received the metrics
    """

    run: DagRun
    traces: TraceReceiver
    events: Path
    statsd: StatsdListener

    def lineage(self, job_name: str, kind: str) -> dict[str, Any]:
        """Return OpenLineage's event of a kind for a job."""
        found: list[dict[str, Any]] = []

        def there() -> bool:
            lines = self.events.read_text().splitlines() if self.events.exists() else []
            events = [json.loads(line) for line in lines if line.endswith("}")]
            found[:] = [one for one in events if (one["job"]["name"], one["eventType"]) == (job_name, kind)]
            return bool(found)

        wait_until(there, f"OpenLineage's {kind} of {job_name}", 60)
        return found[-1]


@pytest.fixture(scope="module")
def observed(armada: StandaloneArmada, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    """An Airflow of its own, with ``apache-airflow-providers-openlineage`` and OpenTelemetry in use."""
    folder = tmp_path_factory.mktemp("observed")
    events = folder / "lineage"
    lineage = {
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps({"type": "file", "log_file_path": str(events), "append": True}),
        "AIRFLOW__OPENLINEAGE__NAMESPACE": "house",
    }
    # Airflow refuses a task with end_from_trigger where OpenLineage listens, so those DAGs stay outside.
    dags = [Path(__file__).parent / "dags" / "lineage"]
    with TraceReceiver() as traces, StatsdListener() as statsd:
        environment = {**traces.environment, **lineage, **statsd.environment(folder / "statsd")}
        with AirflowStack(folder / "airflow", dags, armada.target, env=environment) as airflow:
            run = airflow.api.trigger("told")
            assert run.wait() == "success"
            yield Observed(run, traces, events, statsd)


def told(run: DagRun, task_id: str) -> dict[str, str]:
    """Return the variables that a job has printed."""
    lines = [record["event"] for record in run.log(task_id) if record.get("logger") == "armada.pod"]
    return dict(line.split("=", 1) for line in lines if line != "nothing")


@by_mode
def test_the_job_goes_on_with_the_trace_of_its_task(observed: Observed, mode: str) -> None:
    version, trace_id, span_id, flags = told(observed.run, mode)["TRACEPARENT"].split("-")

    def recorded() -> set[str]:
        return {span.name for span in observed.traces.spans if span.trace_id == trace_id}

    assert (version, flags) == ("00", "01")
    wait_until(lambda: f"worker.{mode}" in recorded(), f"the worker's span of {mode}", 60)
    wait_until(
        lambda: span_id in {span.span_id for span in observed.traces.spans}, "the span that is the job's parent", 60
    )


@by_mode
def test_the_job_knows_its_openlineage_parent(observed: Observed, mode: str) -> None:
    variables = told(observed.run, mode)
    complete = observed.lineage(f"told.{mode}", "COMPLETE")

    assert variables["OPENLINEAGE_PARENT_ID"] == f"house/told.{mode}/{complete['run']['runId']}"
    dag_run = complete["run"]["facets"]["parent"]["run"]["runId"]
    assert variables["OPENLINEAGE_ROOT_PARENT_ID"] == f"house/told/{dag_run}"


@by_mode
def test_openlineage_learns_which_job_did_the_work(observed: Observed, mode: str) -> None:
    facet = observed.lineage(f"told.{mode}", "COMPLETE")["run"]["facets"]["externalQuery"]

    assert facet["externalQueryId"] == observed.run.xcom(mode)["job_id"]
    assert facet["source"] == "armada"


def test_metrics_of_workers_and_of_the_triggerer_reach_statsd(observed: Observed) -> None:
    """Its names tell the status, since plain StatsD has no tags."""
    wanted = {"armada.submit", "armada.job_end.succeeded", "armada.end_lag"} | {"armada.jobs_followed", "armada.events"}

    wait_until(lambda: wanted <= observed.statsd.names(), "the metrics", 60)


def test_a_job_is_told_nothing_of_what_is_not_in_use(airflow: AirflowStack) -> None:
    """The provider of OpenLineage is installed, and nobody has told it where to send its events."""
    run = airflow.api.trigger("told")

    assert run.wait() == "success"

    assert {mode: told(run, mode) for mode in MODES} == {mode: {} for mode in MODES}
