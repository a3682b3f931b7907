"""What a trigger row may name: Airflow 3.4 makes nothing of it but a trigger, and ours is one."""

from __future__ import annotations

import pytest
from airflow.triggers.base import BaseTrigger

from airflow_armada.triggers.armada import ArmadaJobTrigger
from tests.support.airflow_versions import AIRFLOW
from tests.support.trigger_runner import Runner

OURS = ArmadaJobTrigger(armada_conn_id="c", queue="q", job_set_id="s", job_id="j", submitted_at=1.0).serialize()[0]


def test_our_trigger_is_found_by_the_path_that_it_stores() -> None:
    found = Runner().airflow.get_trigger_by_classpath(OURS)

    assert found is ArmadaJobTrigger
    assert issubclass(found, BaseTrigger)


@pytest.mark.skipif(AIRFLOW < (3, 4), reason="before Airflow 3.4 a row could name any class")
@pytest.mark.parametrize(
    "path",
    ["subprocess.Popen", "os.system", "airflow_armada.wait.job_wait.JobWait", "airflow_armada.hooks.armada.ArmadaHook"],
)
def test_a_row_that_names_anything_else_is_refused(path: str) -> None:
    with pytest.raises(TypeError, match="refusing to load"):
        Runner().airflow.get_trigger_by_classpath(path)
