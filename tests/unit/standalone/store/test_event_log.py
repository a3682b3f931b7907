"""Message ids and the stored streams."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_armada.api.event_pb2 import EventMessage, EventStreamMessage, JobQueuedEvent
from airflow_armada.standalone.store.event_log import MAX_ENTRY, EventStore, JobSetLog
from airflow_armada.standalone.store.message_id import START, Position, message_id, parse_message_id

NUMBERS = st.integers(0, 2**53)


def queued(job_id: str) -> EventMessage:
    return EventMessage(queued=JobQueuedEvent(job_id=job_id))


def stored(log: JobSetLog, start: int = 0) -> list[EventStreamMessage]:
    return [EventStreamMessage.FromString(event) for event in log.events[start:]]


@given(NUMBERS, NUMBERS, NUMBERS)
def test_the_id_of_an_event_resumes_right_after_it(millisecond: int, sequence: int, index: int) -> None:
    position = Position(millisecond, sequence, index)

    resumed = parse_message_id(message_id(position, last=False))

    assert resumed == position


@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS)
def test_the_id_of_an_entrys_last_event_stands_for_the_entrys_end(
    millisecond: int, sequence: int, index: int, other: int
) -> None:
    end = parse_message_id(message_id(Position(millisecond, sequence, index), last=True))

    assert end == parse_message_id(f"{millisecond}-{sequence}")
    assert Position(millisecond, sequence, other) < end < Position(millisecond, sequence + 1, 0)


def test_no_id_is_the_start() -> None:
    assert parse_message_id("") == START < Position(0, 0, 0)


@pytest.mark.parametrize("text", ["x", "1", "1:2", "1:2:3", "1:2:3:2", "1:2:3:4:1", "1-2-3", "a-b", "1: 2:3:1"])
def test_other_texts_are_no_ids(text: str) -> None:
    with pytest.raises(ValueError, match="not a valid"):
        parse_message_id(text)


@given(st.lists(st.integers(1, 4), max_size=20))
def test_every_id_leads_to_exactly_what_follows_it(sizes: list[int]) -> None:
    log = JobSetLog()
    for number, size in enumerate(sizes):
        log.append([queued(f"{number}.{index}") for index in range(size)])

    ids = [message.id for message in stored(log)]

    assert [log.index_after(parse_message_id(text)) for text in ids] == list(range(1, len(ids) + 1))
    assert log.positions == sorted(set(log.positions))


def test_a_large_batch_is_stored_as_several_entries() -> None:
    store = EventStore()

    store.append("q", "s", [queued(str(number)) for number in range(MAX_ENTRY + 1)])

    log = store.open("q", "s")
    assert [message.id[-2:] for message in stored(log, MAX_ENTRY - 1)] == [":1", ":1"]
    assert stored(log)[-1].id.split(":")[2] == "0"


def test_ids_go_on_rising_after_the_history_is_forgotten() -> None:
    store = EventStore()
    store.append("q", "s", [queued("a")])
    log = store.open("q", "s")
    before = log.newest

    store.forget("q", "s")
    store.append("q", "s", [queued("b")])

    assert len(log.events) == 1
    assert log.newest > before


def test_old_and_unused_streams_are_dropped() -> None:
    store = EventStore()
    store.append("q", "s", [queued("a")])

    store.forget_older_than(3600)
    assert store.exists("q", "s")

    store.forget_older_than(0)
    assert not store.exists("q", "s")


def test_when_there_are_too_many_events_the_quietest_job_sets_lose_theirs() -> None:
    store = EventStore()
    for name in ("first", "second", "third"):
        store.append("q", name, [queued("a"), queued("b")])

    store.forget_beyond(4)
    assert [store.exists("q", name) for name in ("first", "second", "third")] == [False, True, True]

    store.forget_beyond(0)
    assert store.exists("q", "third")


async def test_a_watcher_is_woken_by_an_event() -> None:
    log = JobSetLog()
    watcher = asyncio.create_task(log.changed())
    await asyncio.sleep(0)
    assert not log.idle

    log.append([queued("a")])

    await asyncio.wait_for(watcher, 5)
