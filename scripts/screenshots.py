"""Take the pictures of the documents from Airflow's real UI: ``python -m scripts.screenshots``, by hand.

Needs Chromium and its driver. Look at the pictures before you commit them: no name of a machine, no path, no secret.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from airflow_armada.local.installation import Installation, installation
from airflow_armada.local.processes import wait_until
from airflow_armada.local.rest_api import ENDED, DagRun
from scripts.browser import Browser

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
LARGEST = 150_000  # bytes
SIZE = (1200, 860)
DAGS = '''
"""What the pictures show."""

from airflow.sdk import DAG, task

from airflow_armada.operators.armada import ArmadaOperator

SMALL = {"armada_queue": "example", "container_resources": {"cpu": "200m", "memory": "64Mi"}}
EPOCHS = """
for epoch in 1 2 3 4 5 6 7 8 9 10 11 12; do
  echo "epoch $epoch of 12: loss 0.$((90 - 6 * epoch))"
  sleep ${PAUSE:-10}
done
"""

with DAG("training", schedule=None, tags=["armada"]):
    ArmadaOperator(task_id="train", image="pytorch/pytorch:2.9", cmds=["sh", "-c"], arguments=[EPOCHS], **SMALL)

with DAG("report", schedule=None, tags=["armada"]):

    @task.armada(image="python:3.12", **SMALL)
    def divide(total, parts):
        print(f"dividing {total} by {parts}")
        return total / parts

    divide(12, 0)
'''


def run_of(running: Installation, dag_id: str) -> DagRun:
    """Start a run of a DAG."""
    return DagRun(running.airflow.api, dag_id, running.airflow.api.start_run(dag_id))


def task_page(run: DagRun, task_id: str) -> str:
    """Return the address of a task's log."""
    return f"{run.api.base_url}{run.path.replace('/dagRuns/', '/runs/')}/tasks/{task_id}"


_LAST_LINK_AT_THE_END = """
const links = [...document.querySelectorAll("a[href*='/jobs/']")];
links[links.length - 1].scrollIntoView({block: "end"});
for (const one of document.querySelectorAll("*")) one.scrollLeft = 0;  // long lines have brought it to the right
"""


def live_log(running: Installation, browser: Browser) -> None:
    """The log of a task whose job runs."""
    run = run_of(running, "training")
    browser.open(task_page(run, "train"))
    browser.wait_for("epoch 3 of 12")


def failed_task(running: Installation, browser: Browser) -> None:
    """The log of a task whose function raised an exception."""
    run = run_of(running, "report")
    wait_until(lambda: run.state in ENDED, "the end of the run", 180)
    browser.open(task_page(run, "divide"))
    browser.wait_for("Exit code 1")
    time.sleep(3)
    # Below the error stand the files in which it was raised, by their paths on this machine.
    browser.script(_LAST_LINK_AT_THE_END)


def connection_form(running: Installation, browser: Browser) -> None:
    """The form of a connection, with what is of Armada."""
    browser.resize(1000, 1500)
    browser.open(f"{running.airflow.api.base_url}/connections")
    browser.click("//button[contains(@aria-label, 'Edit')]")
    browser.click("//*[normalize-space(text())='Standard Fields']")
    browser.click("//*[normalize-space(text())='Extra Fields']")
    browser.wait_for("Lookout URL")


def job_page(running: Installation, browser: Browser) -> None:
    """The page of the job that failed."""
    api = running.airflow.api
    (run,) = api.call("GET", "/dags/report/dagRuns", limit=1)["dag_runs"]
    job = DagRun(api, "report", run["dag_run_id"]).xcom("divide", "armada_job")
    browser.open(job["lookout_url"])
    browser.wait_for("Log of base")


PICTURES: dict[str, Callable[[Installation, Browser], None]] = {
    "live-log": live_log,
    "failed-task": failed_task,
    "connection-form": connection_form,
    "job-page": job_page,
}


def main(wanted: list[str]) -> int:
    home = Path(tempfile.mkdtemp(prefix="airflow-"))
    dags = home / "pictures"
    dags.mkdir()
    (dags / "pictures.py").write_text(DAGS)
    os.environ["TZ"] = "UTC"
    too_large = []
    try:
        with installation(home / "airflow", print, dags=[dags]) as running, Browser(*SIZE) as browser:
            running.airflow.api.wait_for_dags(["training", "report"], 180)
            for name in wanted or PICTURES:
                browser.resize(*SIZE)
                PICTURES[name](running, browser)
                time.sleep(3)  # until nothing moves any more
                file = IMAGES / f"{name}.png"
                browser.picture(file)
                print(f"{file.relative_to(ROOT)}: {file.stat().st_size // 1024} kB", flush=True)
                too_large += [name] if file.stat().st_size > LARGEST else []
    finally:
        shutil.rmtree(home, ignore_errors=True)
    if too_large:
        print(f"larger than {LARGEST // 1000} kB: {', '.join(too_large)}")
    return 1 if too_large else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
