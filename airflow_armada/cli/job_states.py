"""The jobs of a job set, as far as its events have told of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from airflow_armada.client.event import Event
from airflow_armada.client.typings import EventType
from airflow_armada.follow.state.fold import fold
from airflow_armada.follow.state.outcome import SUCCEEDED
from airflow_armada.follow.state.progress import ENDED, NEW, JobProgress
from airflow_armada.tries.identity import LABEL_PREFIX

_PHASES = ("unknown", "submitted", "queued", "leased", "pending", "running", "ended")
_TASK, _MAP_INDEX = f"{LABEL_PREFIX}task-id", f"{LABEL_PREFIX}map-index"


@dataclass(frozen=True)
class JobView:
    """
    One job, as a command shows it.

    :param job_id: its id
    :param task: the Airflow task that it belongs to, with its map index; empty where there is none
    :param progress: where it stands
    """

    job_id: str
    task: str
    progress: JobProgress

    @property
    def word(self) -> str:
        """Where it stands, in one word."""
        return self.progress.end or _PHASES[self.progress.phase]

    @property
    def reason(self) -> str:
        """Why it ended so, in one line; empty while it has not."""
        return " ".join(self.progress.reason.split()) if self.progress.end else ""

    @property
    def exits(self) -> str:
        """Exit codes of the containers that failed."""
        codes = self.progress.exit_codes
        failed = {name: code for name, code in codes.items() if code}
        return ", ".join(
            f"exit code {code}" + (f" in {name}" if len(codes) > 1 else "") for name, code in failed.items()
        )

    def to_dict(self) -> dict[str, Any]:
        """Return it as builtins, for programs."""
        progress = self.progress
        return {
            "job": self.job_id,
            "task": self.task,
            "time": progress.at,
            "state": self.word,
            "reason": self.reason,
            "cluster": progress.cluster,
            "node": progress.node,
            "exit_codes": dict(progress.exit_codes),
            "ended": progress.phase == ENDED,
        }


class JobStates:
    """Folds the events of a job set."""

    def __init__(self) -> None:
        self._states: dict[str, JobProgress] = {}
        self._tasks: dict[str, str] = {}

    def take(self, event: Event) -> tuple[JobView, JobProgress] | None:
        """
        Fold an event.

        :param event: of the job set
        :return: its job, and where that stood before; None when nobody knows such an event
        """
        message: Any = event.message
        if event.type is EventType.unknown:
            return None
        if event.type is EventType.submitted:
            self._tasks[message.job_id] = _task(message.job.annotations)
        before = self._states.get(message.job_id, NEW)
        self._states[message.job_id] = fold(before, event.type.value, message)
        return self._view(message.job_id), before

    def views(self) -> Iterable[JobView]:
        """Give all jobs, in the order in which they were first heard of."""
        return [self._view(job_id) for job_id in self._states]

    @property
    def all_ended(self) -> bool:
        """Whether there are jobs, and all of them have ended."""
        return bool(self._states) and all(state.phase == ENDED for state in self._states.values())

    @property
    def all_succeeded(self) -> bool:
        """Whether no job is in any other state than succeeded."""
        return all(state.end == SUCCEEDED for state in self._states.values())

    def summary(self) -> str:
        """Say in one line how many jobs stand where."""
        counts = Counter(view.word for view in self.views())
        ended = sum(state.phase == ENDED for state in self._states.values())
        parts = ", ".join(f"{count} {word}" for word, count in counts.items())
        return f"{ended}/{len(self._states)} jobs ended{f' ({parts})' if parts else ''}"

    def _view(self, job_id: str) -> JobView:
        return JobView(job_id, self._tasks.get(job_id, ""), self._states[job_id])


def _task(annotations: Any) -> str:
    task, map_index = annotations.get(_TASK, ""), annotations.get(_MAP_INDEX, "-1")
    return f"{task}[{map_index}]" if task and map_index != "-1" else task
