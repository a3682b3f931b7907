"""Rules of the provider, each taken away: the simulation has to see what goes wrong then."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from tests.simulation import mutated
from tests.simulation.drawing import draw
from tests.simulation.drawn import Life
from tests.simulation.life import live


@dataclass(frozen=True)
class Mutation:
    """
    A rule that is taken away.

    :param seed: of a life that needs it.
    :param instead: what stands in its place, by the name of what it replaces.
    :param note: which second rule had to go as well, and why.
    :param where: kinds of faults and happenings without which the rule is not needed: other lives are passed over.
    """

    seed: int
    instead: Mapping[str, Callable[..., Any]]
    note: str = ""
    where: tuple[str, ...] = ()

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
        0, {f"{_TRIGGER}.ArmadaJobTrigger._begin_ending": mutated.nothing}
    ),
    "a trigger of a stalled triggerer cancels only if the task was killed": Mutation(
        0, {f"{_TRIGGER}.was_killed": mutated.always}
    ),
    "a worker answers for its job": Mutation(0, {f"{_UNFINISHED}.leave": mutated.nothing}),
    "a task that gives up ends its job": Mutation(0, {f"{_UNFINISHED}.end": mutated.nothing}),
    "an end is sticky": Mutation(0, {"follow.stream.tracked_job.fold": mutated.fold_on}, where=("stragglers",)),
    "a submission is not repeated before it was looked for": Mutation(
        0, {"task.submit.lookup.Lookup.young_jobs": mutated.none_found}, where=("answers lost", "client ids forgotten")
    ),
    "a cancel names exact ids": Mutation(
        0,
        {
            f"{_JOBS}.JobMethods.cancel_jobs": mutated.cancels_all,
            f"{_JOBS}.AsyncJobMethods.cancel_jobs": mutated.cancels_all,
        },
    ),
    "a retry takes the job of the try before over": Mutation(0, {f"{_TAKEOVER}.acquire": mutated.submits_always}),
    "a deadline waits for the truth about the job": Mutation(
        0, {"follow.deadlines.Deadlines.passed": mutated.by_the_clock}, where=("restart triggerer",)
    ),
    "a cancel is patient": Mutation(0, {"wait.cancel.kind_of_failure": mutated.final}, where=("network down", "kill")),
    "an event is held until Airflow knows of the end of the worker": Mutation(
        0, {f"{_TRIGGER}.ArmadaJobTrigger._hold": mutated.soon}
    ),
    "copies are looked for after a submission in doubt": Mutation(
        0,
        {f"{_SUBMISSION}.wait_until_known": mutated.none_found, "wait.copies.Copies.cancel": mutated.nothing},
        "whoever follows the job would cancel what the submission has not",
        where=("bus away",),
    ),
    "a kill in the middle of a submission cancels what comes of it": Mutation(
        0, {f"{_UNFINISHED}.leave_submissions": mutated.nothing}, where=("kill",)
    ),
    "a cancel goes through the connection of the submission": Mutation(
        0,
        {f"{_TAKEOVER}._conn_id": mutated.newest_connection, f"{_UNFINISHED}.cancel": mutated.cancels_by_its_arguments},
        "the first is for the job of an earlier try, the second for that of this one",
        where=("change connection", "kill worker"),
    ),
    "a look-up that fails may pass": Mutation(
        0, {"task.submit.lookup.Lookup._ask": mutated.asks_once}, where=("query service down",)
    ),
    "a look that fails stands in the way of no cancel": Mutation(
        0,
        {"wait.cancel._has_ended": mutated.ended_or_error, "wait.cancel.kind_of_failure": mutated.unknown_is_final},
        "an error of the look would be waited out like one of the cancel",
        where=("query service down", "kill"),
    ),
    "an identity provider that is away is waited for": Mutation(
        0,
        {
            "client.patience.kind_of": mutated.no_credentials_are_final,
            "exceptions.kind_of": mutated.no_credentials_are_final,
            "client.calls.call.may_retry": mutated.no_credentials_twice,
        },
        "each of the three would wait for the others",
        where=("identity provider away",),
    ),
    "without a state store all earlier tries are looked for": Mutation(
        0, {f"{_TAKEOVER}._guesses": mutated.newest_try_alone}, where=("kill worker",)
    ),
    "a record that cannot be read is no record that is missing": Mutation(
        0, {"task.submit.record.Journal.read": mutated.unreadable_is_missing}, where=("state store down",)
    ),
    "the alarm stops no cancel": Mutation(
        0,
        {
            "task.end.unfinished.to_the_end": mutated.directly,
            f"{_TRIGGER}.ArmadaJobTrigger._cancel_overdue": mutated.always_false,
        },
        "a trigger mostly has cancelled the job before",
        where=("network down",),
    ),
    "a task that Airflow does not know any more was killed": Mutation(
        0, {f"{_TRIGGER}.was_killed": mutated.no_state_is_no_answer}, where=("delete",)
    ),
    "a trigger waits for settings that cannot be used": Mutation(
        0,
        {
            f"{_TRIGGER}._unusable_settings_may_pass": mutated.final,
            "task.segment.Segment._follow_again": mutated.nothing,
        },
        "a task is deferred again after an error of its trigger",
        where=("connection unusable",),
    ),
    "a message that cannot be decoded is passed over alone": Mutation(
        0,
        {
            "api.methods.Method.decode": mutated.as_grpc_does,
            f"{_STREAM}._read_safely": mutated.read,
            f"{_WATCH}.revive": mutated.nothing,
        },
        "a stream that breaks is opened again, and one whose task has died is begun again",
        where=("events mangled",),
    ),
    "a site that nobody uses is closed": Mutation(0, {"follow.site._close_later": mutated.soon}),
    "a try that was put off after an end runs anew": Mutation(0, {f"{_TAKEOVER}._go_on": mutated.goes_on}),
}
"""What each rule is for is in ``docs/faults.md``."""
