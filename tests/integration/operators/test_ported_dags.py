"""DAGs for KubernetesPodOperator run here after the edits that the errors name: on a real Airflow, inline."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.operators.conftest import InlineAirflow
from tests.integration.standalone.api import mounts_work
from tests.support.ported_dags import POD, PORTED, PortedDag, edited, naive_port
from tests.unit.operators.test_ported_dags import error_of

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(not mounts_work(), reason="this user cannot have mounts of its own"),
]


@pytest.mark.parametrize("dag", PORTED, ids=[dag.dag_id for dag in PORTED])
def test_a_ported_dag_runs(airflow: InlineAirflow, tmp_path: Path, dag: PortedDag) -> None:
    pod = tmp_path / "pod.yaml"
    pod.write_text(POD)
    text, _ = edited(naive_port(dag.original.replace("POD_FILE", str(pod))), dag.edits, error_of)

    refused = airflow.run_file(text, dag.dag_id)
    assert "no queue to submit to: give armada_queue" in refused.errors()[0][1]

    run = airflow.run_file(text.replace(dag.queue, f'armada_queue="research", {dag.queue}', 1), dag.dag_id)

    assert run.state == "success", run.messages()
    assert set(dag.shows) <= set(run.pod_lines())
    if dag.dag_id == "produces_xcom":
        assert run.result("produce") == [1, 2, 3]
        assert run.result("total") == 6
