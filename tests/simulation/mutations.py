"""Rules of the provider, each taken away: the simulation has to see what goes wrong then."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from tests.simulation import mutated
from tests.simulation.drawing import draw
from tests.simulation.drawn import Action, Life
from tests.simulation.life import live
from tests.simulation.scripts import BUS, KILLED, RETRIED, SHORT, SUBMITS, TRIGGERERS, USERS, Script
from tests.simulation.weather import Spell


@dataclass(frozen=True)
class Mutation:
    """
    A rule that is taken away.

    :param shown_by: a life that needs it.
    :param instead: what stands in its place, by the name of what it replaces.
    :param note: which second rule had to go as well, and why.
    :param deferrable: whether the task of that life defers.
    :param where: kinds of faults and happenings without which the rule is not needed: other lives are passed over.
    """

    shown_by: Script
    instead: Mapping[str, Callable[..., Any]]
    note: str = ""
    where: tuple[str, ...] = ()
    deferrable: bool = True

    def may_matter(self, life: Life) -> bool:
        """Tell whether a life has what the rule is for."""
        return {spell.kind for spell in life.spells} | {one.kind for one in life.actions} >= set(self.where)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Take the rule away for a while."""
        with ExitStack() as stack:
            for name, value in self.instead.items():
                stack.enter_context(patch(f"airflow_armada.{name}", value))
            yield


def misses(name: str) -> bool:
    """Tell whether the life that needs a rule goes wrong without it, and not with it."""
    mutation = MUTATIONS[name]
    life, script = mutation.shown_by.life(deferrable=mutation.deferrable), mutation.shown_by
    with mutation.in_place():
        broken = live(life, script.begin).broken
    return bool(broken) and not live(life, script.begin).broken


def find(name: str, seeds: Iterable[int]) -> int | None:
    """
    Look for a life that needs a rule.

    :param name: of the rule.
    :param seeds: of lives.
    :return: the first seed whose life goes wrong without the rule, and not with it; None if there is none.
    """
    for seed in seeds:
        life = draw(seed)
        if not MUTATIONS[name].may_matter(life):
            continue
        with MUTATIONS[name].in_place():
            broken = live(life).broken
        if broken and not live(life).broken:
            return seed
    return None


_TRIGGER = "triggers.armada"
_UNFINISHED = "task.end.unfinished.UnfinishedJob"
_SUBMISSION = "task.submit.submission.Submission"
_TAKEOVER = "task.submit.takeover.Takeover"
_STREAM = "follow.stream.event_stream.EventStream"
_WATCH = "follow.stream.job_set_watch.JobSetWatch"
_JOBS = "client.calls.jobs"

MUTATIONS = {
    "a trigger that is taken away cancels": Mutation(
        USERS["marked failed"], {f"{_TRIGGER}.ArmadaJobTrigger._begin_ending": mutated.nothing}
    ),
    "a trigger of a stalled triggerer cancels only if the task was killed": Mutation(
        TRIGGERERS["stalled, then taken over"], {f"{_TRIGGER}.was_killed": mutated.always}
    ),
    "a worker answers for its job": Mutation(
        USERS["timed out"], {f"{_UNFINISHED}.leave": mutated.nothing}, deferrable=False
    ),
    "a task that gives up ends its job": Mutation(
        USERS["timed out"], {f"{_UNFINISHED}.end": mutated.nothing}, deferrable=False
    ),
    "an end is sticky": Mutation(
        Script(seconds=200, spells=[Spell("stragglers", 0, 300)]),
        {"follow.stream.tracked_job.fold": mutated.fold_on},
        where=("stragglers",),
    ),
    "a submission is not repeated before it was looked for": Mutation(
        SUBMITS["UNAVAILABLE"],
        {"task.submit.lookup.Lookup.young_jobs": mutated.none_found},
        where=("answers lost", "client ids forgotten"),
    ),
    "a cancel names exact ids": Mutation(
        Script(seconds=200, tasks=2, actions=[Action("kill", 30)]),
        {
            f"{_JOBS}.JobMethods.cancel_jobs": mutated.cancels_all,
            f"{_JOBS}.AsyncJobMethods.cancel_jobs": mutated.cancels_all,
        },
    ),
    "a retry takes the job of the try before over": Mutation(
        replace(KILLED["noted"], seconds=900), {f"{_TAKEOVER}.acquire": mutated.submits_always}
    ),
    "a deadline waits for the truth about the job": Mutation(
        Script(seconds=200, options={"queued_timeout": 30}, actions=[Action("restart triggerer", 60, length=1)]),
        {"follow.deadlines.Deadlines.passed": mutated.by_the_clock},
        where=("restart triggerer",),
    ),
    "a cancel is patient": Mutation(
        USERS["server away"], {"wait.cancel.kind_of_failure": mutated.final}, where=("network down", "kill")
    ),
    "an event is held until Airflow knows of the end of the worker": Mutation(
        SHORT["0 s"], {f"{_TRIGGER}.ArmadaJobTrigger._hold": mutated.soon}
    ),
    "copies are looked for after a submission in doubt": Mutation(
        BUS["away, and workers die"],
        {f"{_SUBMISSION}.wait_until_known": mutated.none_found, "wait.copies.Copies.cancel": mutated.nothing},
        "whoever follows the job would cancel what the submission has not",
        where=("bus away",),
    ),
    "a kill in the middle of a submission cancels what comes of it": Mutation(
        Script(seconds=900, options={"execution_timeout": timedelta(seconds=20)}, spells=[Spell("bus away", 0, 100)]),
        {f"{_UNFINISHED}.leave_submissions": mutated.nothing},
        where=("kill",),
    ),
    "a cancel goes through the connection of the submission": Mutation(
        replace(RETRIED["never_adopts"], actions=[Action("change connection", 20)]),
        {f"{_TAKEOVER}._conn_id": mutated.newest_connection, f"{_UNFINISHED}.cancel": mutated.cancels_by_its_arguments},
        "the first is for the job of an earlier try, the second for that of this one",
        where=("change connection", "kill worker"),
    ),
    "a look-up that fails may pass": Mutation(
        replace(KILLED["noted"], seconds=900, spells=[Spell("query service down", 30, 50)]),
        {"task.submit.lookup.Lookup._ask": mutated.asks_once},
        where=("query service down",),
    ),
    "a look that fails stands in the way of no cancel": Mutation(
        replace(USERS["marked failed"], spells=[Spell("query service down", 25, 60)]),
        {"wait.cancel._has_ended": mutated.ended_or_error, "wait.cancel.kind_of_failure": mutated.unknown_is_final},
        "an error of the look would be waited out like one of the cancel",
        where=("query service down", "kill"),
    ),
    "an identity provider that is away is waited for": Mutation(
        Script(spells=[Spell("identity provider away", 0, 40)]),
        {"client.failure.CredentialsError.transient": mutated.NEVER},
        where=("identity provider away",),
    ),
    "without a state store all earlier tries are looked for": Mutation(
        replace(KILLED["noted"], seconds=900, has_store=False, actions=[Action("kill worker", 120)]),
        {f"{_TAKEOVER}._guesses": mutated.newest_try_alone},
        where=("kill worker",),
        deferrable=False,
    ),
    "a record that is missing or cannot be read is made up for by a look": Mutation(
        replace(KILLED["noted"], seconds=900, spells=[Spell("state store down", 30, 60)]),
        {f"{_TAKEOVER}._search": mutated.nothing},
        where=("state store down",),
    ),
    "the alarm stops no cancel": Mutation(
        Script(
            seconds=900, options={"execution_timeout": timedelta(seconds=25)}, spells=[Spell("network down", 27, 100)]
        ),
        {
            "task.end.unfinished.to_the_end": mutated.directly,
            f"{_TRIGGER}.ArmadaJobTrigger._cancel_overdue": mutated.always_false,
        },
        "a trigger mostly has cancelled the job before",
        where=("network down",),
    ),
    "a task that Airflow does not know any more was killed": Mutation(
        USERS["deleted"], {f"{_TRIGGER}.was_killed": mutated.no_state_is_no_answer}, where=("delete",)
    ),
    "a trigger waits for settings that cannot be used": Mutation(
        Script(seconds=200, spells=[Spell("connection unusable", 0, 40)]),
        {
            f"{_TRIGGER}._unusable_settings_may_pass": mutated.final,
            "task.segment.Segment._follow_again": mutated.nothing,
        },
        "a task is deferred again after an error of its trigger",
        where=("connection unusable",),
    ),
    "a message that cannot be decoded is passed over alone": Mutation(
        Script(seconds=200, spells=[Spell("events mangled", 150, 70)]),
        {
            "follow.stream.slim_events._parsed": mutated.as_grpc_does,
            f"{_STREAM}._read_safely": mutated.read,
            f"{_WATCH}.revive": mutated.nothing,
        },
        "a stream that breaks is opened again, and one whose task has died is begun again",
        where=("events mangled",),
    ),
    "a site that nobody uses is closed": Mutation(Script(), {"follow.site._close_later": mutated.soon}),
    "a try that was put off after an end runs anew": Mutation(
        Script(seconds=5, notes={"simulate/exit-code": "3"}, put_off=1), {f"{_TAKEOVER}._go_on": mutated.goes_on}
    ),
}
"""What each rule is for is in ``docs/faults.md``."""
