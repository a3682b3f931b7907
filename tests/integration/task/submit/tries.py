"""The tries of one task, each of which gets its job as on a worker, from an embedded Armada."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from airflow_armada.client.channel import open_channel
from airflow_armada.client.client import ArmadaClient
from airflow_armada.client.errors import DeadlineExceeded
from airflow_armada.client.settings import SiteSettings
from airflow_armada.client.typings import JobState
from airflow_armada.jobs.build import build_request
from airflow_armada.jobs.job_spec import JobSpec
from airflow_armada.standalone.server import StandaloneArmada
from airflow_armada.task.kill import Kill
from airflow_armada.task.request.target import Target
from airflow_armada.task.submit.lookup import Lookup
from airflow_armada.task.submit.policy import Policy
from airflow_armada.task.submit.record import Journal
from airflow_armada.task.submit.submission import Submission
from airflow_armada.task.submit.submitted import Submitted
from airflow_armada.task.submit.takeover import Takeover
from airflow_armada.tries.attempt import Attempt
from airflow_armada.tries.identity import JobIdentity
from tests.support.components import wait_until

QUEUE, JOB_SET = "work", "set"


class Store(dict[str, object]):
    """What outlives a try, as Airflow's task state store does."""

    def set(self, key: str, value: object) -> None:
        self[key] = value


@dataclass
class Tries:
    """A task and its tries.

    :param armada: the server
    :param started_at: when the tries began
    :param store: the task's state store; None as before Airflow 3.3
    :param policy: what the author wants of retries
    :param seconds: how long a job runs
    :param command: what it runs instead of waiting
    :param command_timeout: s, the deadline of a submission
    """

    armada: StandaloneArmada
    started_at: float
    store: Store | None = field(default_factory=Store)
    policy: Policy = field(default_factory=Policy)
    seconds: float = 30
    command: list[str] | None = None
    command_timeout: float = 240.0
    kill: Kill = field(default_factory=Kill)

    @property
    def settings(self) -> SiteSettings:
        return SiteSettings(target=self.armada.target, tls=None, command_timeout=self.command_timeout)

    @contextmanager
    def takeover(self, attempt: Attempt) -> Iterator[tuple[Takeover, Submission]]:
        journal = Journal({"task_state_store": self.store})
        with ArmadaClient.open(self.settings, retry_timeout=0) as client:
            lookup = Lookup(client, self.kill.wait)
            submission = Submission(lookup, lambda: self.settings, journal, self.kill)
            target = Target("armada_default", QUEUE, JOB_SET, self.build)
            yield Takeover(attempt, journal, target, self.policy, lambda _: lookup, lambda _: submission), submission

    def attempt(self, number: int = 1, **fields: Any) -> Attempt:
        return Attempt("dag", "run", "task", -1, number, fields.pop("epoch", 0), self.started_at, **fields)

    def acquire(self, number: int = 1, **fields: Any) -> Submitted:
        """Let a try get its job.

        :param number: of the try
        :param fields: of the attempt
        """
        with self.takeover(self.attempt(number, **fields)) as (takeover, _):
            return takeover.acquire()

    def lost_worker(self, number: int = 1) -> None:
        """Let the worker of a try die in the middle of its submission, whose answer it never sees."""
        identity = self.attempt(number).identity()
        if self.store is not None:
            self.store.set("armada_job", self.intent(identity).to_dict())
        item = self.build(identity)
        with ArmadaClient(open_channel(self.settings), command_timeout=0.4) as client, pytest.raises(DeadlineExceeded):
            client.submit_jobs(QUEUE, JOB_SET, [item], find_lost=False)

    def intent(self, identity: JobIdentity) -> Any:
        with self.takeover(self.attempt(identity.try_number)) as (takeover, _):
            return takeover._intent(identity, 0)

    def build(self, identity: JobIdentity) -> Any:
        spec = JobSpec(
            image="busybox:1.37",
            cmds=self.command or ["sleep", str(self.seconds)],
            container_resources={"cpu": "50m", "memory": "16Mi"},
            client_id=identity.client_id,
            external_job_uri=identity.external_job_uri,
        )
        return build_request(spec).item

    def note(self, **changes: Any) -> None:
        """Change what the store has of the job."""
        assert self.store is not None
        record = self.store["armada_job"]
        assert isinstance(record, dict)
        self.store["armada_job"] = record | changes

    def state(self, job_id: str) -> JobState:
        return JobState(self.armada.jobs[job_id].state)

    def wanted(self) -> list[str]:
        """Return the jobs that were not cancelled, once every cancel has been carried out."""
        return [job_id for job_id in self.armada.jobs if self.state(job_id) is not JobState.CANCELLED]

    def until(self, job_id: str, state: JobState) -> str:
        wait_until(lambda: self.state(job_id) is state, f"{job_id} to be {state.name}")
        return job_id

    def with_(self, **changes: Any) -> Tries:
        return replace(self, **changes)


@contextmanager
def soon(seconds: float, work: Callable[[], None]) -> Iterator[None]:
    """Do something a moment later, beside the block."""
    timer = threading.Timer(seconds, work)
    timer.start()
    try:
        yield
    finally:
        timer.join()
