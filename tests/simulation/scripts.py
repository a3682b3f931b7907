"""The named cases of ``tests/chaos``, as lives whose weather and happenings are written down instead of drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import grpc

from tests.simulation.airflow import SimulatedTask
from tests.simulation.drawn import Action, Life
from tests.simulation.printing import LINES, RESULT
from tests.simulation.weather import Spell
from tests.simulation.world import World


@dataclass(frozen=True)
class Script:
    """
    A life that is written down, and what comes of each of its tasks.

    Its spells, actions and tasks are those of a :class:`~tests.simulation.drawn.Life`.

    :param jobs: the states of its jobs, the oldest first.
    :param task: its state.
    :param number: the number of its last try.
    :param cancels: how often Armada has heard that its jobs are to be cancelled; None for any number.
    :param returned: what it returns, where that matters.
    :param seconds: how long its jobs last.
    :param notes: further annotations.
    :param options: further arguments of the operator.
    :param then: arguments from the second try on.
    :param dies_at: where the worker of its first try dies.
    :param tasks: how many tasks there are.
    :param has_store: whether Airflow has a state store (3.3).
    :param put_off: how often a failed try is put off (3.4).
    :param prepare: does something before the life begins.
    """

    jobs: tuple[str, ...] = ("SUCCEEDED",)
    task: str = "success"
    number: int = 1
    cancels: int | None = 0
    returned: Any = None
    seconds: float = 30
    notes: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    then: Mapping[str, Any] = field(default_factory=dict)
    dies_at: str = ""
    spells: Sequence[Spell] = ()
    actions: Sequence[Action] = ()
    tasks: int = 1
    has_store: bool = True
    put_off: int = 0
    prepare: Callable[[World], None] | None = None

    def life(self, *, deferrable: bool) -> Life:
        """Give the life."""
        notes = {"simulate/duration": str(self.seconds), LINES: "20", **self.notes}
        options = {"reattach": "running_or_succeeded", "get_logs": True, "cancel_on_kill": True, "retries": 0}
        options |= {"annotations": notes, "deferrable": deferrable, **self.options}
        return Life(7, options, self.tasks, self.has_store, tuple(self.spells), tuple(self.actions), self.put_off)

    def begin(self, world: World, tasks: list[SimulatedTask]) -> None:
        """Prepare the world and the tasks."""
        for task in tasks:
            task.dies_at, task.then, task.heartbeat_timeout = self.dies_at, dict(self.then), QUICK_HEARTBEAT
        if self.prepare is not None:
            self.prepare(world)


QUICK_HEARTBEAT = 30.0  # s after which the chaos suite's Airflow takes a worker for dead
_RETRIES = {"retries": 3}
_PREEMPTIBLE = {"priority_class_name": "armada-preemptible"}
_FAILS = {"annotations": {"simulate/duration": "5", "simulate/exit-code": "3"}}
_BIG = {"container_resources": {"cpu": "40"}}
_RESULT_FIRST, _RESULT_LAST = {RESULT: "first"}, {RESULT: "last"}
_WANTED: dict[str, Any] = {"get_result": True}


def _lost(code: grpc.StatusCode) -> Callable[[World], None]:
    def prepare(world: World) -> None:
        world.armada.faults.forget_client_ids = True
        world.armada.faults.lose_response("SubmitJobs", code, times=2)

    return prepare


def _during(kind: str, length: float, begin: float = 12.0) -> tuple[Spell, ...]:
    return (Spell(kind, begin, length),)


TRANSPORT = {
    "streams open and silent": Script(spells=_during("streams silent", 300, 0)),
    "server away when a task starts": Script(spells=_during("network down", 40, 0)),
    "server away for 45 s": Script(spells=_during("network down", 45)),
    "half-open": Script(spells=_during("black hole", 40)),
    "credentials refused": Script(spells=_during("credentials refused", 30)),
    "connections refused": Script(spells=_during("network down", 30)),
    "query database lags": Script(spells=_during("query service lags", 300, 0)),
    "permission refused": Script(spells=_during("permission refused", 20)),
    "server restarted": Script(spells=_during("streams broken", 1)),
    "connections reset": Script(spells=_during("streams broken", 1)),
    "streams broken after each message": Script(spells=_during("streams cut", 300)),
    "streams end cleanly again and again": Script(spells=_during("streams end", 300, 0)),
    "events come twice": Script(spells=_during("events repeated", 300, 0)),
    "history expired": Script(spells=_during("streams broken", 1, 16), actions=[Action("forget history", 15)]),
    "history gone after an outage": Script(
        spells=_during("network down", 40), actions=[Action("forget history", 45)], notes={LINES: "0"}
    ),
    "job pruned after an outage": Script(
        spells=_during("network down", 40), actions=[Action("prune job", 45)], notes={LINES: "0"}
    ),
}
KILLED = {
    point: Script(number=2, options=_RETRIES, dies_at=point)
    for point in ("intended", "submitted", "noted", "deferring", "resuming", "finishing")
} | {
    "following": Script(number=2, seconds=400, options=_RETRIES, actions=[Action("kill worker", 30)]),
}
RESULTS = {
    point: Script(number=2, options=_RETRIES | _WANTED, notes=_RESULT_FIRST, returned=[1, 0], dies_at=point, seconds=4)
    for point in ("noted", "deferring", "resuming", "finishing")
} | {
    "following": Script(
        number=2,
        seconds=400,
        options=_RETRIES | _WANTED,
        notes=_RESULT_FIRST,
        returned=[1, 0],
        actions=[Action("kill worker", 30)],
    ),
    "triggerer killed": Script(
        seconds=40,
        options=_WANTED,
        notes=_RESULT_FIRST,
        returned=[1, 0],
        actions=[Action("restart triggerer", 20, length=1)],
    ),
    "preempted": Script(
        jobs=("PREEMPTED", "SUCCEEDED"),
        options=_WANTED | _PREEMPTIBLE | {"preemption_retries": 1},
        notes=_RESULT_FIRST,
        returned=[1, 1],
        actions=[Action("preempt", 20)],
    ),
    "log service refuses": Script(
        options=_WANTED, notes=_RESULT_LAST, returned=[1, 0], spells=_during("logs down", 75)
    ),
    "gone with its pod": Script(
        jobs=("SUCCEEDED", "SUCCEEDED"),
        number=2,
        seconds=4,
        options=_RETRIES | _WANTED,
        notes=_RESULT_FIRST,
        returned=[2, 0],
        dies_at="resuming",
        actions=[Action("delete pod", 35)],
    ),
}
RETRIED = {
    "adopts_running": Script(number=2, seconds=900, options=_RETRIES, dies_at="noted"),
    "adopts_succeeded": Script(number=2, seconds=4, options=_RETRIES, dies_at="resuming"),
    "replaces_failed": Script(
        jobs=("FAILED", "SUCCEEDED"),
        number=2,
        options=_RETRIES | _FAILS,
        then={"annotations": {"simulate/duration": "5"}},
    ),
    "never_adopts": Script(
        jobs=("CANCELLED", "SUCCEEDED"),
        number=2,
        seconds=900,
        cancels=1,
        options=_RETRIES | {"reattach": "never"},
        dies_at="noted",
    ),
    "adopts_only_running": Script(
        jobs=("SUCCEEDED", "SUCCEEDED"),
        number=2,
        seconds=4,
        options=_RETRIES | {"reattach": "running"},
        dies_at="resuming",
    ),
}
ENDS = {
    "preempted": Script(
        jobs=("PREEMPTED", "PREEMPTED", "SUCCEEDED"),
        seconds=60,
        options=_PREEMPTIBLE | {"preemption_retries": 2},
        actions=[Action("preempt", 30), Action("preempt", 80)],
    ),
    "preempted_too_often": Script(
        jobs=("PREEMPTED", "PREEMPTED"),
        task="failed",
        seconds=60,
        options=_PREEMPTIBLE | {"preemption_retries": 1},
        actions=[Action("preempt", 30), Action("preempt", 80)],
    ),
    "preempted_without_budget": Script(
        jobs=("PREEMPTED",), task="failed", options=_PREEMPTIBLE, actions=[Action("preempt", 20)]
    ),
    "evicted": Script(
        jobs=("FAILED", "SUCCEEDED"),
        options={"preemption_retries": 1, "resubmit_on": ["evicted"]},
        actions=[Action("evict", 20)],
    ),
    "lease_expired": Script(
        jobs=("FAILED", "SUCCEEDED"),
        options={"preemption_retries": 1, "resubmit_on": ["lease_expired"]},
        actions=[Action("expire lease", 20)],
    ),
}
_TAKEN = {"jobs": ("CANCELLED",), "seconds": 600, "cancels": 1}
USERS = {
    "marked failed": Script(**_TAKEN, task="failed", actions=[Action("kill", 30)]),
    "marked success": Script(**_TAKEN, actions=[Action("mark success", 30)]),
    "cleared": Script(
        jobs=("CANCELLED", "CANCELLED"),
        task="failed",
        number=2,
        seconds=600,
        cancels=2,
        actions=[Action("clear", 30), Action("kill", 80)],
    ),
    "left alone": Script(
        jobs=("RUNNING",), task="failed", seconds=600, options={"cancel_on_kill": False}, actions=[Action("kill", 30)]
    ),
    "terminated": Script(**_TAKEN, task="failed", actions=[Action("terminate worker", 30)]),
    "timed out": Script(**_TAKEN, task="failed", options={"execution_timeout": timedelta(seconds=25)}),
    "deferral timed out": Script(**_TAKEN, task="failed", actions=[Action("time out deferral", 30)]),
    "run failed": Script(**_TAKEN, task="failed", tasks=2, actions=[Action("kill", 30), Action("kill", 30, 1)]),
    "server away": Script(
        **_TAKEN, task="failed", spells=_during("network down", 12, 29), actions=[Action("kill", 30)]
    ),
    "new try quicker": Script(
        jobs=("CANCELLED", "CANCELLED"),
        task="failed",
        number=2,
        seconds=600,
        cancels=2,
        actions=[Action("stall triggerer", 25, length=60), Action("clear", 30), Action("kill", 150)],
    ),
    "deleted": Script(**_TAKEN, task="removed", actions=[Action("delete", 30)]),
}
TRIGGERERS = {
    "restarted": Script(actions=[Action("restart triggerer", 20, length=2)]),
    "killed": Script(actions=[Action("restart triggerer", 20, length=20)]),
    "all restarted": Script(actions=[Action("restart triggerer", 20, length=40)], seconds=60),
    "stalled, then taken over": Script(seconds=75, actions=[Action("take over", 20, length=50)]),
    "stalled until the end": Script(seconds=15, actions=[Action("take over", 12, length=90)]),
}
SUBMITS = {
    "UNAVAILABLE": Script(prepare=_lost(grpc.StatusCode.UNAVAILABLE)),
    "INTERNAL": Script(prepare=_lost(grpc.StatusCode.INTERNAL)),
}
BUS = {
    "away": Script(cancels=None, spells=_during("bus away", 20, 0)),
    "away, and workers die": Script(
        number=2,
        cancels=None,
        options=_RETRIES,
        spells=_during("bus away", 60, 0),
        actions=[Action("kill worker", 15)],
    ),
}
QUEUED = Script(task="", cancels=None, seconds=60, tasks=2, options=_BIG | {"queued_timeout": 8})
SHORT = {f"{seconds} s": Script(seconds=seconds) for seconds in (0, 1, 2, 4, 5, 6)}
