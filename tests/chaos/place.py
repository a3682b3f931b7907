"""One embedded Armada behind a network that can break, and what its DAG runs leave in the records."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from airflow_armada.client.channel import open_channel
from airflow_armada.client.client import ArmadaClient
from airflow_armada.client.settings import SiteSettings
from airflow_armada.standalone.scheduling.engine import Engine
from airflow_armada.standalone.server import StandaloneArmada
from tests.chaos.records import Findings, Job, alive, audit, machine_lives, server_jobs
from tests.support.airflow_api import ENDED, AirflowApi, DagRun
from tests.support.airflow_stack import armada_connection
from tests.support.components import wait_until
from tests.support.proxy import FaultProxy

PATIENCE = 180.0


class Network:
    """The fault proxy in a thread of its own."""

    def __init__(self, port: int) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="chaos-network", daemon=True)
        self.proxy = FaultProxy(port)

    def __enter__(self) -> Network:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.proxy.start(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self.proxy.stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def do(self, change: Callable[[FaultProxy], None]) -> None:
        """Change something about the network."""
        done = threading.Event()
        self._loop.call_soon_threadsafe(lambda: (change(self.proxy), done.set()))
        done.wait(10)


class Place:
    """An Armada of its own, which an Airflow connection leads to: its faults are nobody else's.

    :param conn_id: the connection
    :param ledger: where the jobs write down when they really start and end
    """

    def __init__(self, conn_id: str, ledger: Path) -> None:
        self.conn_id = conn_id
        self.ledger = ledger
        self.cancels: Counter[str] = Counter()
        self.api: AirflowApi | None = None
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Place:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> None:
        """Start the server and the network before it."""
        with contextlib.ExitStack() as stack:
            self.armada = stack.enter_context(StandaloneArmada(cpus=64, memory="64Gi"))
            self.armada.create_queue("chaos")
            self.armada.call(self._count_cancels)
            self.network = stack.enter_context(Network(self.armada.port))
            self.armada.leave_token(self.network.proxy.port)
            self._stack = stack.pop_all()

    def close(self) -> None:
        """Stop both."""
        self._stack.close()

    @property
    def connection(self) -> str:
        """The Airflow connection, as the value of an environment variable."""
        return armada_connection(f"127.0.0.1:{self.network.proxy.port}", keepalive_time=10)

    def _count_cancels(self, engine: Engine) -> None:
        """Count, by job, how often somebody has asked for its cancel."""
        request_cancel = engine.request_cancel

        def counted(queue: str, job_set_id: str, job_ids: Sequence[str], wish: Any) -> None:
            self.cancels.update(job_ids)
            request_cancel(queue, job_set_id, job_ids, wish)

        engine.request_cancel = counted  # type: ignore[method-assign]

    # What is done

    def start(self, dag_id: str, **conf: Any) -> DagRun:
        """Start a run of a DAG, with what its tasks and probes are to do."""
        assert self.api is not None, "no Airflow has been told of this place"
        return self.api.trigger(dag_id, conf={"armada_conn_id": self.conn_id, **conf})

    def heal(self) -> None:
        """End every fault."""
        self.armada.faults.clear()
        self.network.do(FaultProxy.heal)

    def cancel(self, job: Job) -> None:
        """Cancel a job as somebody else would."""
        spec = self.armada.jobs[job.id].spec
        with open_channel(SiteSettings(target=self.armada.target, tls=None)) as channel:
            ArmadaClient(channel).cancel_jobs(spec.queue, spec.job_set_id, job_id=job.id, reason="tidying up")

    def disturb(self, disturbance: str, job: Job) -> None:
        """Let something happen to a job: ``preempt``, or a method of the embedded Armada's disruptions."""
        if disturbance != "preempt":
            getattr(self.armada.disruptions, disturbance)(job.id)
            return
        spec = self.armada.jobs[job.id].spec
        with open_channel(SiteSettings(target=self.armada.target, tls=None)) as channel:
            ArmadaClient(channel).preempt_jobs(spec.queue, spec.job_set_id, job.id, reason="chaos")

    # What is seen

    def jobs(self, run: DagRun, task_id: str) -> list[Job]:
        """Return the jobs of a task, oldest first."""
        return [job for job in server_jobs(self.armada, run) if job.of.task_id == task_id]

    def wait_for_job(self, run: DagRun, task_id: str, state: str = "RUNNING", nth: int = 1) -> Job:
        """Wait until the n-th job of a task is in a state."""

        def there() -> bool:
            jobs = self.jobs(run, task_id)
            return len(jobs) >= nth and jobs[nth - 1].state == state

        wait_until(there, f"job {nth} of {task_id} to be {state}", 120)
        return self.jobs(run, task_id)[nth - 1]

    def calls_since(self, before: Mapping[str, int]) -> Counter[str]:
        return Counter(self.armada.calls) - Counter(before)

    def settle(
        self,
        run: DagRun,
        expected: Mapping[str, str] | None = None,
        left_alone: Iterable[str] = (),
        patience: float = PATIENCE,
        repeated: Iterable[str] = (),
    ) -> Findings:
        """Wait for the end of a run and of its jobs, and compare the records.

        :param patience: seconds after which what has not ended counts as hung
        """
        allowed = set(left_alone)
        give_up = time.monotonic() + patience
        with contextlib.suppress(TimeoutError):
            wait_until(lambda: self._over(run), f"the end of {run.dag_id}", patience, every=0.5)
        with contextlib.suppress(TimeoutError):
            rest = max(15.0, min(30.0, give_up - time.monotonic()))
            wait_until(lambda: not self._live_jobs(run, allowed), f"the end of the jobs of {run.dag_id}", rest)
        found = audit(self.armada, self.ledger, run, expected, allowed, set(repeated))
        lives = [life for life in machine_lives(self.ledger, run) if life.of.task_id not in allowed]
        if not self._live_jobs(run, allowed):
            with contextlib.suppress(TimeoutError):
                wait_until(lambda: not alive(lives), "the end of the processes", 10)
            found.orphans += [f"{run.dag_id} {life.of}: process {life.pid} runs on" for life in alive(lives)]
        return found

    def _over(self, run: DagRun) -> bool:
        return run.state in ENDED and all(task["state"] in ENDED for task in run.tasks())

    def _live_jobs(self, run: DagRun, allowed: set[str]) -> list[Job]:
        jobs = server_jobs(self.armada, run)
        return [job for job in jobs if job.ended is None and job.of.task_id not in allowed]
