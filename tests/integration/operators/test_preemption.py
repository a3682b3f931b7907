"""Jobs that make room for others are submitted again within their try, and nothing that was shown is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from airflow_armada.client.client import ArmadaClient
from airflow_armada.client.typings import JobState
from airflow_armada.standalone.server import StandaloneArmada
from tests.integration.operators.conftest import InlineAirflow
from tests.support.components import wait_until

pytestmark = pytest.mark.timeout(600)
both_modes = pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "blocking"])
SUBMIT = "/api.Submit/SubmitJobs"


@contextmanager
def meanwhile(work: Callable[[], None]) -> Iterator[None]:
    """Run something while a DAG runs, and let its errors be the test's."""
    errors: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=guarded)
    thread.start()
    yield
    thread.join(60)
    assert not thread.is_alive()
    if errors:
        raise errors[0]


def preempt(armada: StandaloneArmada, client: ArmadaClient, times: int) -> Callable[[], None]:
    """Preempt the next jobs as soon as they have written a line."""
    known = set(armada.jobs)

    def work() -> None:
        seen = set(known)
        for _ in range(times):
            wait_until(lambda: _running(armada, seen), "a running job", 60)
            job = _running(armada, seen)[0]
            seen.add(job)
            client.preempt_jobs("research", armada.jobs[job].job_set_id, job)

    return work


def _running(armada: StandaloneArmada, seen: set[str]) -> list[str]:
    return [key for key, job in armada.jobs.items() if key not in seen and job.state == JobState.RUNNING.value]


SCRIPT = "echo begin; sleep 2; echo end"


@both_modes
def test_a_preempted_job_is_submitted_again_within_the_try(
    airflow: InlineAirflow, armada: StandaloneArmada, client: ArmadaClient, deferrable: bool
) -> None:
    before = armada.calls[SUBMIT]
    with meanwhile(preempt(armada, client, 1)):
        run = airflow.run(
            f'sh("work", "{SCRIPT}", priority_class_name="armada-preemptible", preemption_retries=2,'
            f" deferrable={deferrable})"
        )

    assert run.state == "success"
    assert run.task("work")["try_number"] == 1
    assert run.result("work")["resubmissions"] == 1
    assert armada.calls[SUBMIT] == before + 2
    assert "was preempted; submitting it again (1 of 2)" in run.messages()
    assert run.pod_lines()[-2:] == ["begin", "end"]


@both_modes
def test_without_a_budget_preemption_fails_the_task(
    airflow: InlineAirflow, armada: StandaloneArmada, client: ArmadaClient, deferrable: bool
) -> None:
    with meanwhile(preempt(armada, client, 2)):
        run = airflow.run(
            f'sh("work", "sleep 30", priority_class_name="armada-preemptible", preemption_retries=1,'
            f" deferrable={deferrable})"
        )

    ((kind, text),) = run.errors()
    assert run.state == "failed"
    assert kind == "ArmadaJobPreempted"
    assert "Preempted" in text
    assert run.task("work")["xcoms"]["armada_job"]["resubmission"] == 1


def test_only_chosen_ends_are_submitted_again(
    airflow: InlineAirflow, armada: StandaloneArmada, client: ArmadaClient
) -> None:
    with meanwhile(preempt(armada, client, 1)):
        run = airflow.run(
            'sh("work", "sleep 30", priority_class_name="armada-preemptible", preemption_retries=1,'
            ' resubmit_on=["evicted"])'
        )

    ((kind, _),) = run.errors()
    assert kind == "ArmadaJobPreempted"
