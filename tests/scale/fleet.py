"""Many deferred tasks, and what becomes of them and of their jobs.

Airflow starts about one worker a second on two cores, so the tasks are seeded: a real DAG run whose mapped tasks
Airflow has scheduled, and whose pool has no slots; each task is then given the row of a trigger and the state that
``defer`` leaves. Their jobs are submitted as the operator would. Everything after that is real: triggers start, follow,
are killed and fire.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, text

from airflow_armada.api import submit_pb2
from airflow_armada.client.channel import open_channel
from airflow_armada.client.client import ArmadaClient
from airflow_armada.client.job_ref import JobRef
from airflow_armada.client.settings import SiteSettings
from airflow_armada.jobs.build import build
from airflow_armada.standalone.server import StandaloneArmada
from airflow_armada.standalone.store import model
from airflow_armada.tries.identity import JobIdentity, default_job_set_id
from airflow_armada.triggers.armada import ArmadaJobTrigger
from airflow_armada.wait.job_wait import JobWait
from tests.support.airflow_api import DagRun
from tests.support.airflow_stack import AirflowStack
from tests.support.components import wait_until

QUEUE = "scale"
DAG, TASK = "fleet", "job"
BEFORE, AFTER = 3, 3
"""Lines that each job prints when it starts, and when it ends."""

SHORT = """
for n in $(seq 1 {before}); do echo "job {number} line $n"; done
tail --pid={holder} -s 0.5 -f /dev/null
for n in $(seq 1 {after}); do echo "job {number} last line $n"; done
"""

WRITER = """
exec 3<> <(:)
n=0
while kill -0 {holder} 2>/dev/null; do n=$((n+1)); echo "job {number} line $n"; read -r -t 0.2 -u 3; done
echo "job {number} last line $n"
"""
"""Writes about five lines a second, without starting a process for each."""

ROOT = Path(__file__).resolve().parents[2]


def expected_lines(number: int) -> list[str]:
    """Return what the job of a task prints."""
    first = [f"job {number} line {n}" for n in range(1, BEFORE + 1)]
    return first + [f"job {number} last line {n}" for n in range(1, AFTER + 1)]


class Fleet:
    """A run of many deferred tasks, each with a job that ends when :meth:`end_jobs` is called.

    :param airflow: where they run
    :param armada: where their jobs run
    :param count: how many
    :param end_in_trigger: whether the triggers end the tasks
    :param script: what each job runs: :data:`SHORT` or :data:`WRITER`
    """

    def __init__(
        self, airflow: AirflowStack, armada: StandaloneArmada, count: int, *, end_in_trigger: bool, script: str = SHORT
    ) -> None:
        self.airflow, self.armada, self.count, self._script = airflow, armada, count, script
        self._database: Engine = create_engine(airflow.environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])
        self._holder = subprocess.Popen(["sleep", "3600"])
        self.run: DagRun = airflow.api.trigger(DAG)
        all_of_them = int(airflow.environment["SCALE_N"])
        wait_until(lambda: self.states()["scheduled"] == all_of_them, f"{all_of_them} scheduled tasks", 300, every=1)
        self.waits = self._submit(end_in_trigger)
        self._defer()

    def _submit(self, end_in_trigger: bool) -> list[JobWait]:
        job_set = default_job_set_id(DAG, self.run.run_id)
        waits: list[JobWait] = []
        with open_channel(SiteSettings(target=self.armada.target, tls=None)) as channel:
            for first in range(0, self.count, 100):
                numbers = range(first, min(first + 100, self.count))
                answer = ArmadaClient(channel).submit_jobs(QUEUE, job_set, [self._item(number) for number in numbers])
                waits += [
                    JobWait(
                        armada_conn_id="armada_default",
                        job=JobRef(QUEUE, job_set, item.job_id),
                        submitted_at=time.time(),
                        containers=("base",),
                        end_in_trigger=end_in_trigger,
                    )
                    for item in answer.job_response_items
                ]
        return waits

    def _item(self, number: int) -> submit_pb2.JobSubmitRequestItem:
        identity = JobIdentity(DAG, self.run.run_id, TASK, number, 1)
        script = self._script.format(before=BEFORE, after=AFTER, number=number, holder=self._holder.pid)
        return build(
            image="busybox:1.37",
            cmds=["bash", "-c", script],
            container_resources={"cpu": "10m", "memory": "4Mi"},
            annotations=identity.annotations(),
            client_id=identity.client_id,
            external_job_uri=identity.external_job_uri,
        )

    def _defer(self) -> None:
        triggers = [ArmadaJobTrigger(**wait.to_dict()).serialize() for wait in self.waits]
        subprocess.run(
            [sys.executable, "-m", "tests.scale.seed", DAG, self.run.run_id, TASK],
            cwd=ROOT,
            env=self.airflow.environment,
            input=json.dumps(triggers),
            text=True,
            check=True,
        )

    def close(self) -> None:
        """End what is left."""
        self.end_jobs()
        self.admit_workers(0)
        self._database.dispose()

    # What is done

    def end_jobs(self) -> None:
        """Let all jobs end at once, within half a second."""
        self._holder.kill()
        self._holder.wait()

    def wait_until_followed(self, deadline: float) -> None:
        """Wait until every trigger has said that its job runs."""
        wait_until(lambda: len(self.logs_with("is running on")) == self.count, "all triggers", deadline, every=1)

    def admit_workers(self, number: int) -> None:
        """Let tasks whose trigger has fired go on on workers, so many at a time."""
        pool = {"pool": "nobody", "slots": number, "include_deferred": False}
        self.airflow.api.call("PATCH", "/pools/nobody", pool)

    # What is seen

    def states(self) -> Counter[str]:
        """Count the tasks by state."""
        query = "SELECT state, count(*) FROM task_instance WHERE dag_id = :dag AND run_id = :run GROUP BY state"
        with self._database.connect() as connection:
            rows = connection.execute(text(query), {"dag": DAG, "run": self.run.run_id}).all()
        return Counter({str(state): count for state, count in rows})

    def job_states(self) -> Counter[str]:
        """Count the jobs by state, as the server knows them."""
        states = (self.armada.jobs[wait.job_id].history[-1][1] for wait in self.waits)
        return Counter(submit_pb2.JobState.Name(state) for state in states)

    def live_jobs(self) -> list[str]:
        """Return the jobs that have not ended."""
        jobs = [self.armada.jobs[wait.job_id] for wait in self.waits]
        return [job.id for job in jobs if job.history[-1][1] not in model.TERMINAL]

    def all_jobs(self) -> int:
        """Count the jobs of the run that the server has ever had."""
        annotation = next(iter(JobIdentity(DAG, self.run.run_id, TASK, 0, 1).annotations()))
        return sum(job.spec.annotations.get(annotation) == DAG for job in list(self.armada.jobs.values()))

    def processes(self) -> int:
        """Count the processes of the jobs, as the machine knows them."""
        done = subprocess.run(
            ["pgrep", "-fc", f"tail --pid={self._holder.pid} "], stdout=subprocess.PIPE, text=True, check=False
        )
        return int(done.stdout or 0)

    def log_files(self) -> dict[int, list[Path]]:
        """Return the files of the tasks' logs by map index, the worker's and the triggers'."""
        folder = self.airflow.home / "logs" / f"dag_id={DAG}" / f"run_id={self.run.run_id}" / f"task_id={TASK}"
        found: dict[int, list[Path]] = {}
        for file in folder.glob("map_index=*/attempt=1.log*"):
            found.setdefault(int(re.sub(r"\D", "", file.parent.name)), []).append(file)
        return found

    def logs_with(self, words: str) -> set[int]:
        """Return the map indexes of the tasks in whose log some words stand."""
        files = self.log_files().items()
        return {number for number, logs in files if any(words in log.read_text(errors="replace") for log in logs)}

    def shown(self, number: int) -> list[str]:
        """Return the lines of a job that its task's log holds, as the UI shows them."""
        records: list[dict[str, Any]] = self.run.log(TASK, map_index=number)
        return [str(record["event"]) for record in records if record.get("logger") == "armada.pod"]
