"""The mapped tasks of one DAG run and their jobs, as Airflow, the server and the machine know them."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, text

from airflow_armada.api import submit_pb2
from airflow_armada.standalone.server import StandaloneArmada
from airflow_armada.standalone.store import model
from airflow_armada.tries.identity import LABEL_PREFIX
from tests.scale.jobs import SHORT, is_whole
from tests.support.airflow_api import DagRun
from tests.support.airflow_stack import AirflowStack

TASK = "job"


class TaskRun:
    """A run of mapped tasks, whose jobs end when :meth:`end_jobs` is called.

    :param airflow: where they run
    :param armada: where their jobs run
    :param dag_id: the DAG, which has one task; it finds the id of the process that holds the jobs in its ``conf``
    :param count: how many of its tasks run
    :param script: what each job runs: :data:`~tests.scale.jobs.SHORT` or :data:`~tests.scale.jobs.WRITER`
    """

    def __init__(
        self, airflow: AirflowStack, armada: StandaloneArmada, dag_id: str, count: int, *, script: str = SHORT
    ) -> None:
        self.airflow, self.armada, self.dag_id, self.count, self.script = airflow, armada, dag_id, count, script
        self._database: Engine = create_engine(airflow.environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])
        self._holder = subprocess.Popen(["sleep", "3600"])
        self.run: DagRun = airflow.api.trigger(dag_id, {"holder": self._holder.pid})

    def close(self) -> None:
        """End what is left."""
        self.end_jobs()
        self._database.dispose()

    @property
    def holder(self) -> int:
        """Id of the process with whose end the jobs end."""
        return self._holder.pid

    def end_jobs(self) -> None:
        """Let all jobs end at once, within half a second."""
        self._holder.kill()
        self._holder.wait()

    def states(self) -> Counter[str]:
        """Count the tasks by state."""
        query = "SELECT state, count(*) FROM task_instance WHERE dag_id = :dag AND run_id = :run GROUP BY state"
        with self._database.connect() as connection:
            rows = connection.execute(text(query), {"dag": self.dag_id, "run": self.run.run_id}).all()
        return Counter({str(state): count for state, count in rows})

    def jobs(self) -> list[model.Job]:
        """Return all jobs of the run that the server has ever had."""
        wanted = {f"{LABEL_PREFIX}dag-id": self.dag_id, f"{LABEL_PREFIX}run-id": self.run.run_id}
        return [job for job in list(self.armada.jobs.values()) if wanted.items() <= job.spec.annotations.items()]

    def job_states(self) -> Counter[str]:
        """Count the jobs by state, as the server knows them."""
        return Counter(submit_pb2.JobState.Name(job.state) for job in self.jobs())

    def live_jobs(self) -> list[str]:
        """Return the jobs that have not ended."""
        return [job.id for job in self.jobs() if not job.finished]

    def processes(self) -> int:
        """Count the processes of the jobs, as the machine knows them."""
        done = subprocess.run(
            ["pgrep", "-fc", f"tail --pid={self.holder} "], stdout=subprocess.PIPE, text=True, check=False
        )
        return int(done.stdout or 0)

    def log_files(self) -> dict[int, list[Path]]:
        """Return the files of the tasks' logs by map index, the worker's and the triggers'."""
        folder = self.airflow.home / "logs" / f"dag_id={self.dag_id}" / f"run_id={self.run.run_id}" / f"task_id={TASK}"
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

    def wrong_logs(self) -> dict[int, list[str]]:
        """Return the lines of those jobs of which a line is missing, doubled or out of its place."""
        shown = {number: self.shown(number) for number in range(self.count)}
        return {number: lines for number, lines in shown.items() if not is_whole(self.script, number, lines)}
