"""What a life is, drawn from its seed: options, Airflow, faults and what happens to its tasks."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

from tests.simulation import weather
from tests.simulation.drawn import Action, Life
from tests.simulation.happenings import ACTIONS
from tests.simulation.operators import SIDE
from tests.simulation.printing import LINES, RESULT
from tests.simulation.versions import NUMBERS, Version

DURATIONS = ("1", "1", "5", "5", "30", "30", "30", "200", "200", "200", "2000")  # s
ENDS = ("", "", "", "3", "oom", "preempted", "evicted", "preempted")
POLICIES: tuple[dict[str, Any], ...] = (
    {"exit_codes": {3: False}},
    {"exit_codes": {3: 20}, "preempted": 5},
    {"queued_too_long": False, "preempted": False},
    {"queued_too_long": 10},
)


def draw(seed: int) -> Life:
    """Draw a life."""
    chance = random.Random(seed)
    airflow = Version(chance.choice(NUMBERS))
    tasks = chance.choice((1, 1, 2))
    options = _options(chance, airflow, tasks)
    put_off = chance.choice((0, 1, 2)) if airflow.puts_off and "retry_policy" not in options else 0
    loop = airflow.has_loops and chance.random() < 0.3
    actions = [
        Action(chance.choice(ACTIONS), chance.uniform(0, chance.choice((30, 90, 150, 900))), chance.randrange(tasks))
        for _ in range(chance.choice((0, 1, 1, 2, 3)))
    ]
    return Life(
        seed,
        options,
        tasks,
        airflow.has_store,
        tuple(weather.draw(chance)),
        tuple(actions),
        put_off,
        airflow.number,
        loop,
    )


def _options(chance: random.Random, airflow: Version, tasks: int) -> dict[str, Any]:
    annotations = {"simulate/duration": chance.choice(DURATIONS), LINES: chance.choice(("0", "7", "60", "400"))}
    end = chance.choice(ENDS)
    if end == "3":
        annotations["simulate/exit-code"] = end
    elif end:
        annotations["simulate/end"] = end
    options: dict[str, Any] = {
        "annotations": annotations,
        "deferrable": chance.random() < 0.7,
        "retries": chance.choice((0, 1, 2)),
        "reattach": chance.choice(("running_or_succeeded", "running", "never")),
        "get_logs": chance.choice((True, True, False, "base")),
        "cancel_on_kill": chance.random() < 0.8,
    }
    _draw_limits(chance, options)
    if end in ("preempted", "evicted") or chance.random() < 0.3:
        options["priority_class_name"] = "armada-preemptible"
        options["preemption_retries"] = chance.choice((0, 1, 2))
        options["resubmit_on"] = chance.choice((["preempted"], ["preempted", "evicted", "lease_expired"], ["evicted"]))
    if end == "3" and chance.random() < 0.3:
        options["skip_on_exit_code"] = 3
    if airflow.has_retry_policies and chance.random() < 0.3:
        options["retry_policy"] = chance.choice(POLICIES)
    if tasks > 1 and chance.random() < 0.3:
        options["gang_id"], options["gang_cardinality"] = "gang-{try_number}", tasks
        options.setdefault("queued_timeout", 300)
    if chance.random() < 0.3:
        options["containers"] = [{"name": SIDE, "image": "busybox", "resources": _RESOURCES}]
        options["get_logs"] = chance.choice((True, "base", SIDE, ["base", SIDE]))
    _draw_result(chance, options, annotations)
    return options


_RESOURCES = {
    "requests": {"cpu": "100m", "memory": "64Mi"},
    "limits": {"cpu": "100m", "memory": "64Mi"},
}


def _draw_limits(chance: random.Random, options: dict[str, Any]) -> None:
    if chance.random() < 0.35:
        options["queued_timeout"] = chance.choice((5, 30, 300))
    if chance.random() < 0.3:
        options["execution_timeout"] = timedelta(seconds=chance.choice((20, 60, 400)))
    if chance.random() < 0.15:
        options["active_deadline_seconds"] = chance.choice((10, 60, 1000))


def _draw_result(chance: random.Random, options: dict[str, Any], annotations: dict[str, str]) -> None:
    """Draw what the task returns, and whether it waits for it at all."""
    what = chance.random()
    if what < 0.25:
        options["get_result"] = chance.choice((True, True, "base"))
        annotations[RESULT] = chance.choice(("first", "last", "last", "never"))
        if chance.random() < 0.3:
            options["cmds"], options["result_file"] = ["work"], "/tmp/result"
    elif what < 0.33:
        options["wait_for_completion"] = False
    elif what < 0.55 and options["deferrable"]:
        options["end_from_trigger"], options["do_xcom_push"] = True, False
