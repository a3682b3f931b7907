"""Many deferred tasks at once.

Airflow starts about one worker a second on two cores, so the tasks are seeded: a real DAG run whose mapped tasks
Airflow has scheduled, and whose pool has no slots; each task is then given the row of a trigger and the state that
``defer`` leaves. Their jobs are submitted as the operator would. Everything after that is real: triggers start, follow,
are killed and fire.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from airflow_armada.api import submit_pb2
from airflow_armada.client.channel import open_channel
from airflow_armada.client.client import ArmadaClient
from airflow_armada.client.job_ref import JobRef
from airflow_armada.client.settings import SiteSettings
from airflow_armada.jobs.build import build
from airflow_armada.standalone.server import StandaloneArmada
from airflow_armada.tries.identity import JobIdentity, default_job_set_id
from airflow_armada.triggers.armada import ArmadaJobTrigger
from airflow_armada.wait.job_wait import JobWait
from tests.scale.jobs import QUEUE, SHORT, script
from tests.scale.loop_probe import IdleTrigger
from tests.scale.task_run import TASK, TaskRun
from tests.support.airflow_stack import AirflowStack
from tests.support.components import wait_until

DAG = "fleet"
ROOT = Path(__file__).resolve().parents[2]


class SeededRun(TaskRun):
    """A run of the DAG whose tasks nobody starts."""

    def __init__(self, airflow: AirflowStack, armada: StandaloneArmada, count: int, *, script: str = SHORT) -> None:
        super().__init__(airflow, armada, DAG, count, script=script)
        every = int(airflow.environment["SCALE_N"])
        wait_until(lambda: self.states()["scheduled"] == every, f"{every} scheduled tasks", 300, every=1)

    def defer(self, triggers: Sequence[tuple[str, dict[str, Any]]]) -> None:
        """Put the first tasks where ``defer`` leaves them, and skip the others."""
        subprocess.run(
            [sys.executable, "-m", "tests.scale.seed", DAG, self.run.run_id, TASK],
            cwd=ROOT,
            env=self.airflow.environment,
            input=json.dumps(triggers),
            text=True,
            check=True,
        )

    def admit_workers(self, number: int) -> None:
        """Let tasks whose trigger has fired go on on workers, so many at a time."""
        pool = {"pool": "nobody", "slots": number, "include_deferred": False}
        self.airflow.api.call("PATCH", "/pools/nobody", pool)

    def close(self) -> None:
        self.admit_workers(0)
        super().close()


class IdleFleet(SeededRun):
    """Tasks that wait for nothing: what Airflow itself takes for as many."""

    def __init__(self, airflow: AirflowStack, armada: StandaloneArmada, count: int) -> None:
        super().__init__(airflow, armada, count)
        self.defer([IdleTrigger().serialize()] * count)

    def wait_until_started(self, deadline: float) -> None:
        """Wait until every trigger runs."""
        wait_until(lambda: len(self.log_files()) == self.count, "all triggers", deadline, every=1)


class Fleet(SeededRun):
    """Tasks that wait for a job each.

    :param end_in_trigger: whether the triggers end the tasks
    """

    def __init__(
        self, airflow: AirflowStack, armada: StandaloneArmada, count: int, *, end_in_trigger: bool, script: str = SHORT
    ) -> None:
        super().__init__(airflow, armada, count, script=script)
        self.defer([ArmadaJobTrigger(**wait.to_dict()).serialize() for wait in self._submit(end_in_trigger)])

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
        return build(
            image="busybox:1.37",
            cmds=["bash", "-c", script(self.script, number, self.holder)],
            container_resources={"cpu": "10m", "memory": "4Mi"},
            annotations=identity.annotations(),
            client_id=identity.client_id,
            external_job_uri=identity.external_job_uri,
        )

    def wait_until_followed(self, deadline: float) -> None:
        """Wait until every trigger has said that its job runs."""
        wait_until(lambda: len(self.logs_with("is running on")) == self.count, "all triggers", deadline, every=1)
