"""What each option of the operator promises (``docs/operator.md``), looked for in what is left of a life."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from airflow_armada.client.typings import JobState
from airflow_armada.exceptions import ArmadaJobFailed, ArmadaJobPreempted, ArmadaJobQueuedTooLong, ArmadaJobTimedOut
from airflow_armada.jobs.results import RESULT_MARKER
from airflow_armada.standalone.store import model
from airflow_armada.tries.identity import LABEL_PREFIX
from airflow_armada.wait.task_log import POD_LOGGER
from tests.simulation.airflow import SimulatedTask
from tests.simulation.drawn import Life
from tests.simulation.operators import SIDE
from tests.simulation.printing import RESULT

SLACK = 700.0  # s; a task that ends tries to reach Armada for ten minutes


def not_kept(life: Life, task: SimulatedTask, own: list[Any]) -> Iterator[str]:
    """
    Tell which promises were not kept to a task.

    :param life: the life.
    :param task: the task.
    :param own: its jobs.
    """
    for promise in (_result, _skips, _resubmits, _policy, _limits, _containers):
        for what in promise(life, task, own):
            yield f"{task.name}: {what}"


def _result(life: Life, task: SimulatedTask, own: list[Any]) -> Iterator[str]:
    """A task with ``get_result`` returns what its job has printed, and fails where that has printed nothing."""
    if not life.options.get("get_result"):
        return
    if any(RESULT_MARKER in record.text for number in task.logs.tries for record in task.logs.shown(number)):
        yield "its log shows the line that holds the result"
    if task.ti.state != "success" or task.marked:
        return
    printed = [_numbers(job) for job in own if JobState(int(job.state)) is JobState.SUCCEEDED]
    if life.options["annotations"][RESULT] == "never":
        yield f"it returns {task.returned}, and no job has printed a result"
    elif task.returned not in printed:
        yield f"it returns {task.returned}, and its jobs have printed {printed}"


def _numbers(job: Any) -> list[int]:
    notes = job.spec.annotations
    return [int(notes[f"{LABEL_PREFIX}{name}"]) for name in ("try-number", "resubmission")]


def _skips(life: Life, task: SimulatedTask, _own: list[Any]) -> Iterator[str]:
    """A job that ends with ``skip_on_exit_code`` skips its task, and nothing else does."""
    code = life.options.get("skip_on_exit_code")
    failed = [error for error in task.errors if isinstance(error, ArmadaJobFailed)]
    if code and any(code in error.outcome.exit_codes.values() for error in failed):
        yield f"it failed with exit code {code}, which skips it"
    if task.ti.state == "skipped" and not code:
        yield "it was skipped, and nobody wanted that"


def _resubmits(life: Life, task: SimulatedTask, own: list[Any]) -> Iterator[str]:
    """A preempted job is submitted again within its try, ``preemption_retries`` times and no more."""
    budget = int(life.options.get("preemption_retries", 0))
    for number, count in Counter(_numbers(job)[0] for job in own).items():
        most = max(_numbers(job)[1] for job in own if _numbers(job)[0] == number)
        # Free are a result that is gone with its pod, and a job of the try before that had ended.
        if most > (budget + 2) * (life.put_off + 1):
            yield f"try {number} has {count} jobs, up to resubmission {most}, of {budget} that are allowed"
    end = task.end
    wanted = "preempted" in life.options.get("resubmit_on", ["preempted"])
    adopts = task.ti.try_number > 1 and life.options["reattach"] != "never"
    disturbed = adopts or task.taken or task.dead_in_try or life.put_off or "execution_timeout" in life.options
    if isinstance(end, ArmadaJobPreempted) and wanted and not disturbed:
        jobs = [job for job in own if _numbers(job)[0] == task.ti.try_number]
        if len(jobs) <= budget and not life.in_trouble:
            yield f"it failed as preempted, having submitted {len(jobs)} jobs, with {budget} resubmissions"


def _policy(life: Life, task: SimulatedTask, _own: list[Any]) -> Iterator[str]:
    """A retry policy that says never after an exit code, or after an end, is obeyed."""
    policy = life.options.get("retry_policy", {})
    if task.taken:
        return
    kinds: dict[type[BaseException], Any] = {
        ArmadaJobQueuedTooLong: policy.get("queued_too_long"),
        ArmadaJobPreempted: policy.get("preempted"),
    }
    for error in task.errors[:-1]:
        never = any(isinstance(error, kind) and verdict is False for kind, verdict in kinds.items())
        codes = error.outcome.exit_codes.values() if isinstance(error, ArmadaJobFailed) else ()
        if never or any(policy.get("exit_codes", {}).get(code) is False for code in codes):
            yield f"another try followed {error!r:.80}, after which the policy allows none"


def _limits(life: Life, task: SimulatedTask, own: list[Any]) -> Iterator[str]:
    """No job waits longer than ``queued_timeout``, and no end of time comes to a task without one."""
    limit = life.options.get("queued_timeout")
    for error in task.errors:
        if isinstance(error, ArmadaJobQueuedTooLong) and limit is None:
            yield "it says queued_too_long, without a queued_timeout"
        if isinstance(error, ArmadaJobTimedOut) and "execution_timeout" not in life.options:
            yield "it says timed_out, without an execution_timeout"
    if limit is None or life.options.get("wait_for_completion") is False or task.dead_in_try or task.excused:
        return
    for job in own:
        if life.options["cancel_on_kill"] and _queued(job) > limit + life.trouble + SLACK:
            yield f"job {job.id} was queued for {_queued(job):.0f} s, with a queued_timeout of {limit} s"


def _queued(job: Any) -> float:
    """Tell how long a job has waited for its start, whatever ended that."""
    later = [at for at, state in job.history if state != model.QUEUED]
    return float(later[0] - job.history[0][0]) if later else float("inf")


def _containers(life: Life, task: SimulatedTask, _own: list[Any]) -> Iterator[str]:
    """``get_logs`` shows the containers that are named, and no other."""
    wanted = life.options["get_logs"]
    shows_main = wanted is True or "base" in (wanted or ())
    for number in task.logs.tries:
        records = [record for record in task.logs.shown(number) if record.logger == POD_LOGGER]
        if records and not shows_main:
            yield f"try {number} shows lines of a container that it shall not: {records[0].text}"
        if any(record.container == SIDE for record in records):
            yield f"try {number} takes lines for those of the container that prints none"
