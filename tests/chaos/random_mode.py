"""Everything at once, by chance, but with a seed: ``python -m tests.chaos.random_mode --seed 7 --minutes 20``.

Runs of the DAG ``mixed`` go on all the time, and every few seconds something breaks. At the end all is healed, what
still runs gets its time, and the three records of every run are compared.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos import breakdowns
from tests.chaos.records import Findings
from tests.chaos.world import World
from tests.support.airflow_api import ENDED, DagRun

ACTIVE_TASKS = 18
RECENT_RUNS = 12
RUN_PAUSE = 10.0
PAUSE = (4.0, 12.0)
LAST_WAIT = 300.0
MAX_HITS = 3
SETTLE = 10.0
KILL_SECONDS = 25.0
POINTS = ("intended", "submitted", "noted", "deferring", "resuming", "finishing")
TASKS = (*(f"deferred_{number}" for number in range(6)), "blocking_0", "blocking_1", "budget")


@dataclass
class Played:
    """A run, and what ought to become of its tasks."""

    run: DagRun
    expected: dict[str, str] = field(default_factory=dict)
    repeated: set[str] = field(default_factory=set)
    hits: Counter[str] = field(default_factory=Counter)

    def may_hit(self, task_id: str) -> bool:
        """Tell whether a task can bear one more death: its retries are limited."""
        return task_id not in self.expected and self.hits[task_id] < MAX_HITS

    def unfinished(self, *states: str) -> list[str]:
        """Return the tasks that are in one of these states and that nobody has ended."""
        return [
            task["task_id"] for task in self.run.tasks() if task["state"] in states and self.may_hit(task["task_id"])
        ]


class Game:
    """One random session.

    :param world: to play in
    :param dice: where all chance comes from
    """

    def __init__(self, world: World, dice: random.Random) -> None:
        self.world = world
        self.dice = dice
        self.played: list[Played] = []
        self.faults: Counter[str] = Counter()
        self.stalled = False
        self._next_run = 0.0
        self._isolated_until = 0.0
        self._connected_until = 0.0
        self.undo: list[tuple[float, Callable[[], None]]] = []

    def play(self, minutes: float) -> Findings:
        """Break things for some minutes, then heal, wait and compare."""
        end = time.monotonic() + 60 * minutes
        next_fault = time.monotonic() + 15
        while time.monotonic() < end:
            self._keep_running()
            self._undo(time.monotonic())
            if time.monotonic() >= next_fault:
                self._break_something()
                next_fault = time.monotonic() + self.dice.uniform(*PAUSE)
            time.sleep(1)
        self._undo(float("inf"))
        self.world.heal()
        return self._compare()

    def active(self) -> list[Played]:
        """Return the runs that have not ended."""
        return [one for one in self.played[-RECENT_RUNS:] if one.run.state not in ENDED]

    def later(self, seconds: float, work: Callable[[], None]) -> None:
        """Undo a fault after a time."""
        self.undo.append((time.monotonic() + seconds, work))

    @property
    def isolated(self) -> bool:
        """Whether somebody may be dead or cut off who has to cancel the jobs of killed tasks."""
        return time.monotonic() < self._isolated_until

    def isolate(self, seconds: float, undo: Callable[[], None]) -> None:
        """Note that Armada or a triggerer is away for a time."""
        self._isolated_until = time.monotonic() + seconds + SETTLE
        self.later(seconds, undo)

    def may_isolate(self) -> bool:
        """Tell whether all kills have had the time to reach Armada."""
        return time.monotonic() > self._connected_until and not self.isolated

    def stay_connected(self) -> None:
        """Give a kill the time to reach Armada."""
        self._connected_until = time.monotonic() + KILL_SECONDS

    def _keep_running(self) -> None:
        if time.monotonic() < self._next_run or self._busy():
            return
        self._next_run = time.monotonic() + RUN_PAUSE
        dice = self.dice
        seconds = {task_id: dice.choice([0, 1, 2, 4, 6, 10, 20, 30, 40]) for task_id in TASKS}
        exit_codes = {task_id: [3] for task_id in TASKS if dice.random() < 0.1}
        killed = [task_id for task_id in TASKS if dice.random() < 0.15]
        probes = {
            task_id: {"at": dice.choice(POINTS), "do": dice.choice(["kill", "kill", "kill_all"])} for task_id in killed
        }
        played = Played(self.world.start("mixed", seconds=seconds, exit_codes=exit_codes, probes=probes))
        played.hits.update([*exit_codes, *killed])
        self.faults["worker killed at a probe"] += len(killed)
        self.played.append(played)

    def _busy(self) -> bool:
        tasks = [task["state"] for one in self.active() for task in one.run.tasks()]
        return sum(state not in ENDED for state in tasks) >= ACTIVE_TASKS

    def _break_something(self) -> None:
        names = list(breakdowns.ALL)
        self.dice.shuffle(names)
        for name in names:
            if breakdowns.ALL[name](self):
                self.faults[name] += 1
                print(f"{time.strftime('%H:%M:%S')} {name}", flush=True)
                return

    def _undo(self, until: float) -> None:
        due = [entry for entry in self.undo if entry[0] <= until]
        self.undo = [entry for entry in self.undo if entry[0] > until]
        for _, work in due:
            work()

    def _compare(self) -> Findings:
        found = Findings()
        give_up = time.monotonic() + LAST_WAIT
        for one in self.played:
            patience = max(1.0, give_up - time.monotonic())
            found.add(self.world.settle(one.run, one.expected, patience=patience, repeated=one.repeated))
        return found


def report(game: Game, found: Findings, seed: int, minutes: float) -> str:
    """Return the summary as a table."""
    rows = {
        "seed": seed,
        "minutes": f"{minutes:.1f}",
        "DAG runs": len(game.played),
        "tasks": found.tasks,
        "jobs submitted": found.jobs,
        "faults injected": game.faults.total(),
        "duplicates": len(found.duplicates),
        "orphans": len(found.orphans),
        "wrong outcomes": len(found.wrong),
        "hung": len(found.hung),
    }
    faults = [f"  {count:4d}  {name}" for name, count in game.faults.most_common()]
    table = [f"{name:16} {value}" for name, value in rows.items()]
    return "\n".join(["", *table, "", "faults:", *faults, *found.problems])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--folder", type=Path, help="where everything is written; a temporary folder by default")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to end"))
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    print(f"seed {arguments.seed}, files in {folder}", flush=True)
    with World(folder) as world:
        game = Game(world, random.Random(arguments.seed))
        started = time.monotonic()
        found = game.play(arguments.minutes)
        print(report(game, found, arguments.seed, (time.monotonic() - started) / 60), flush=True)
    sys.exit(1 if found.problems else 0)


if __name__ == "__main__":
    main()
