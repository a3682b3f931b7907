"""What each event does to what is known of a job."""

from __future__ import annotations

from functools import reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_armada.api import event_pb2, resource_pb2, timestamp_pb2
from airflow_armada.follow.state import fold as state
from airflow_armada.follow.state import outcome
from airflow_armada.follow.state.fold import fold
from airflow_armada.follow.state.progress import NEW, JobProgress

Event = tuple[str, Any]


def event(kind: str, second: int = 0, **fields: Any) -> Event:
    message = event_pb2.EventMessage()
    body = getattr(message, kind)
    body.SetInParent()
    body.MergeFrom(type(body)(job_id="j", created=timestamp_pb2.Timestamp(seconds=1_000 + second), **fields))
    return kind, body


def folded(*events: Event, since: JobProgress = NEW) -> JobProgress:
    return reduce(lambda known, item: fold(known, *item), events, since)


START = (event("submitted", 1), event("queued", 1))
RUN = (
    event("leased", 2, cluster_id="c1", pool="cpu"),
    event("pending", 3, cluster_id="c1", pod_name="p"),
    event("running", 4, cluster_id="c1", node_name="n"),
)
FAILED = event("failed", 9, reason="exit 1", container_statuses=[event_pb2.ContainerStatus(name="main", exitCode=1)])
PREEMPTED = event("preempted", 9, reason="urgent", preempting_job_id="other", run_id="r")
NEXT_RUN = (event("leased", 20, cluster_id="c2"), event("running", 22, cluster_id="c2", node_name="n2"))


@pytest.mark.parametrize(
    ("history", "phase"),
    [
        ((), state.UNKNOWN),
        (START[:1], state.SUBMITTED),
        (START, state.QUEUED),
        ((*START, RUN[0]), state.LEASED),
        ((*START, *RUN[:2]), state.PENDING),
        ((*START, *RUN), state.RUNNING),
        ((*START, *RUN, event("lease_returned", 5, cluster_id="c1")), state.QUEUED),
        ((*START, *RUN, event("lease_expired", 5)), state.QUEUED),
        ((*START, *RUN, event("failed", 5, retryable=True)), state.QUEUED),
        ((*START, *RUN, event("preempting", 5, requestor="ann")), state.RUNNING),
        ((*START, *RUN, event("cancelling", 5, requestor="ann")), state.RUNNING),
        ((*START, *RUN, event("preempted", 5)), state.RUNNING),
        ((*START, *RUN, event("lease_returned", 5, cluster_id="c1"), *NEXT_RUN), state.RUNNING),
        ((*START, event("reprioritizing", 5), event("reprioritized", 6, new_priority=3)), state.QUEUED),
    ],
)
def test_events_lead_to_phases_and_none_of_these_is_an_end(history: tuple[Event, ...], phase: int) -> None:
    known = folded(*history)

    assert known.phase == phase
    assert known.end == ""


@pytest.mark.parametrize(
    ("ending", "end"),
    [
        ((event("succeeded", 9),), outcome.SUCCEEDED),
        ((FAILED,), outcome.FAILED),
        ((event("failed", 9, cause=event_pb2.Rejected),), outcome.REJECTED),
        ((event("cancelled", 9),), outcome.CANCELLED),
        ((PREEMPTED, FAILED), outcome.PREEMPTED),
        ((FAILED, PREEMPTED), outcome.PREEMPTED),
        ((event("preempting", 8), event("succeeded", 9)), outcome.SUCCEEDED),
        ((event("cancelling", 8), event("cancelled", 9)), outcome.CANCELLED),
        ((event("lease_expired", 8), event("failed", 9, failure_subcategory="lease-expired")), outcome.FAILED),
        ((PREEMPTED, *NEXT_RUN, event("failed", 30)), outcome.FAILED),
        ((event("failed", 8, retryable=True), *NEXT_RUN, event("succeeded", 30)), outcome.SUCCEEDED),
    ],
)
def test_ends(ending: tuple[Event, ...], end: str) -> None:
    assert folded(*START, *RUN, *ending).end == end


@pytest.mark.parametrize(
    ("cause", "name"), [(0, "Error"), (1, "Evicted"), (2, "OOM"), (3, "DeadlineExceeded"), (4, "Rejected")]
)
def test_a_failure_names_its_cause(cause: int, name: str) -> None:
    assert folded(event("failed", cause=cause)).cause == name


def test_a_cause_that_a_newer_server_invented_counts_as_an_error() -> None:
    assert folded(event("failed", cause=77)).cause == "Error"


def test_an_end_stays_whatever_comes_after_it() -> None:
    ended = folded(*START, *RUN, event("succeeded", 9))

    later = folded(*RUN, *NEXT_RUN, FAILED, event("cancelled", 9), PREEMPTED, event("utilisation", 9), since=ended)

    assert later == ended


def test_an_unknown_kind_changes_nothing() -> None:
    known = folded(*START)

    assert fold(known, "teleported", object()) is known


def test_an_end_without_places_keeps_those_of_the_run() -> None:
    known = folded(*START, *RUN, event("succeeded", 9))

    assert (known.cluster, known.pool, known.pod, known.node) == ("c1", "cpu", "p", "n")


def test_a_new_run_forgets_the_places_and_times_of_the_last_one() -> None:
    known = folded(*START, *RUN, event("lease_returned", 5, cluster_id="c1"), event("leased", 6, cluster_id="c2"))

    assert (known.cluster, known.pod, known.node, known.running_at) == ("c2", "", "", "")
    assert known.ran


@pytest.mark.parametrize("straggler", [*RUN, event("lease_returned", 5, cluster_id="c1"), *START])
def test_stragglers_of_an_earlier_run_do_not_touch_the_present_one(straggler: Event) -> None:
    known = folded(*START, *RUN, event("lease_returned", 5, cluster_id="c1"), *NEXT_RUN)

    later = fold(known, *straggler)

    assert later.phase == state.RUNNING


@pytest.mark.parametrize("number", range(5))
def test_a_duplicate_changes_nothing(number: int) -> None:
    history = (*START, *RUN)
    known = folded(*history)

    assert fold(known, *history[number]) == known


def test_a_preemption_keeps_who_and_why() -> None:
    known = folded(*START, *RUN, PREEMPTED, event("failed", 9, reason="urgent"))

    assert (known.reason, known.preempting_job_id, known.run_id, known.cause) == ("urgent", "other", "r", "")


def test_a_cancellation_keeps_who_asked_for_it() -> None:
    known = folded(event("cancelling", requestor="ann"), event("cancelled"))

    assert (known.requestor, known.reason) == ("ann", "")


def test_resource_use_keeps_the_highest_of_each() -> None:
    def use(**amounts: str) -> Event:
        quantities = {name: resource_pb2.Quantity(string=amount) for name, amount in amounts.items()}
        return event("utilisation", 5, MaxResourcesForPeriod=quantities)

    known = folded(use(cpu="900m", memory="2Gi"), use(cpu="1", memory="1500Mi"), use(gpu="1"))

    assert known.resources == {"cpu": "1", "memory": "2Gi", "gpu": "1"}


def test_folding_alters_no_state_that_was_there_before() -> None:
    before = folded(*START, *RUN)
    copy = folded(*START, *RUN)

    folded(event("utilisation", 5), FAILED, since=before)

    assert before == copy


LIVES = st.sampled_from(
    [
        (),
        RUN,
        (*RUN, event("lease_returned", 5, cluster_id="c1"), *NEXT_RUN),
        (*RUN, event("failed", 5, retryable=True, reason="again"), *NEXT_RUN),
        (*RUN, event("lease_expired", 5), *NEXT_RUN, event("utilisation", 25)),
        (*RUN, event("cancelling", 5), event("reprioritized", 6, new_priority=1)),
    ]
)
ENDS = st.sampled_from(
    [
        (event("succeeded", 40),),
        (event("failed", 40, reason="x"),),
        (event("failed", 40, cause=event_pb2.Rejected),),
        (event("cancelled", 40),),
        (event("preempted", 40, reason="x"), event("failed", 40, reason="x")),
    ]
)


@given(LIVES, ENDS, st.data())
def test_the_verdict_does_not_depend_on_order_or_repetition(
    life: tuple[Event, ...], ending: tuple[Event, ...], data: st.DataObject
) -> None:
    history = [*START, *life, *ending]
    repeated = history + data.draw(st.lists(st.sampled_from(history), max_size=10))
    shuffled = data.draw(st.permutations(repeated))

    assert folded(*shuffled).end == folded(*history).end


@given(LIVES, ENDS, st.data())
def test_the_verdict_does_not_depend_on_what_went_before(
    life: tuple[Event, ...], ending: tuple[Event, ...], data: st.DataObject
) -> None:
    before = [*START, *life]
    kept = data.draw(st.lists(st.sampled_from(before), max_size=len(before)))

    assert folded(*kept, *ending).end == folded(*before, *ending).end


@given(LIVES, st.data())
def test_nothing_but_an_end_is_an_end(life: tuple[Event, ...], data: st.DataObject) -> None:
    history = [*START, *life, event("preempting", 39), event("preempted", 40)]
    drawn = data.draw(st.lists(st.sampled_from(history), max_size=30))

    assert folded(*drawn).end == ""


def test_the_addresses_of_the_present_run_are_known() -> None:
    exposed = event("ingress_info", 5, cluster_id="c1", ingress_addresses={8080: "a.example", 9090: "b.example"})
    late = event("ingress_info", 19, cluster_id="c1", ingress_addresses={8080: "a.example"})

    known = folded(*START, *RUN, exposed)
    assert known.addresses == {8080: "a.example", 9090: "b.example"}
    assert folded(exposed, since=known) is known
    assert folded(event("succeeded", 9), since=known).addresses == known.addresses
    moved = folded(event("lease_returned", 6, cluster_id="c1"), *NEXT_RUN, late, since=known)
    assert moved.addresses == {}
