"""A task's callbacks hear of its job, in both modes: on a real Airflow with ``dag.test()``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.operators.conftest import InlineAirflow

pytestmark = pytest.mark.timeout(300)
both_modes = pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "blocking"])


def dag(diary: Path, script: str, arguments: str, *, lines: bool) -> str:
    return f"""
        import json
        from airflow_armada.callbacks import JobCallbacks

        def write(name, told):
            shown = {{key: value for key, value in told.items() if key in ("status", "text", "node")}}
            with open({str(diary)!r}, "a") as file:
                print(json.dumps([name, told["job"].job_id, told["context"]["ti"].task_id, shown]), file=file)

        class Diary(JobCallbacks):
            def submitted(self, **told):
                write("submitted", told)
                raise ValueError("the diary is full")

            def running(self, **told):
                write("running", told)

            def ended(self, **told):
                write("ended", told)

        if {lines}:
            Diary.line = lambda self, **told: write("line", told)

        sh("work", "{script}", callbacks=[Diary], {arguments})
    """


@both_modes
@pytest.mark.parametrize("script", ["echo one; echo two", "echo one; exit 3"], ids=["succeeds", "fails"])
def test_each_step_is_told_and_an_error_hurts_nothing(
    airflow: InlineAirflow, tmp_path: Path, deferrable: bool, script: str
) -> None:
    diary = tmp_path / "diary"

    run = airflow.run(dag(diary, script, f"deferrable={deferrable}", lines=not deferrable))

    status = "failed" if "exit" in script else "succeeded"
    pages = [json.loads(line) for line in diary.read_text().splitlines()]
    job_id = run.task("work")["xcoms"]["armada_job"]["job_id"]
    assert {(page[1], page[2]) for page in pages} == {(job_id, "work")}
    assert [page[0] for page in pages if page[0] != "line"] == ["submitted", "running", "ended"]
    assert pages[-1][3]["status"] == status
    assert [page[3]["text"] for page in pages if page[0] == "line"] == ([] if deferrable else run.pod_lines())
    assert "raised ValueError: the diary is full" in run.messages()
    assert run.task("work")["state"] == ("failed" if "exit" in script else "success")
