"""What is remembered of a job across tries, also across versions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_armada._compat import AirflowException
from airflow_armada.client.job_ref import JobRef
from airflow_armada.task.submit.record import STORE_KEY, JobRecord, Journal, RecordUnreadable

RECORD = JobRecord(2, 1, "client", "airflow://uri", JobRef("q", "s", "j"), 1, 5.0, "failed", "armada_default", 1)
OF_AN_OLDER_VERSION = {
    "try_number": 2,
    "epoch": 1,
    "client_id": "client",
    "external_job_uri": "airflow://uri",
    "queue": "q",
    "job_set_id": "s",
    "resubmission": 1,
    "job_id": "j",
    "submitted_at": 5.0,
    "end": "failed",
}


class Store(dict[str, Any]):
    """A state store, which fails with an error if it has one."""

    error: Exception | None = None

    def get(self, key: str, default: Any = None) -> Any:
        if self.error:
            raise self.error
        return super().get(key, default)

    def set(self, key: str, value: Any) -> None:
        if self.error:
            raise self.error
        self[key] = json.loads(json.dumps(value))


def journal(store: Store | None) -> Journal:
    return Journal({"task_state_store": store})


def test_the_next_try_reads_what_was_written() -> None:
    store = Store()
    journal(store).write(RECORD)

    assert journal(store).read() == RECORD


def test_a_record_of_an_older_version_is_read() -> None:
    record = journal(Store({STORE_KEY: OF_AN_OLDER_VERSION})).read()

    assert record is not None
    assert (record.job, record.end, record.armada_conn_id) == (JobRef("q", "s", "j"), "failed", "")


def test_what_a_newer_version_adds_is_left_alone() -> None:
    assert journal(Store({STORE_KEY: RECORD.to_dict() | {"invented": 1}})).read() == RECORD


@pytest.mark.parametrize("store", [None, Store()])
def test_where_there_is_no_record_there_is_none(store: Store | None) -> None:
    assert journal(store).read() is None


@pytest.mark.parametrize("content", [{"try_number": 1}, {"queue": "q", "job_set_id": "s"}])
def test_a_record_that_makes_no_sense_is_not_a_missing_one(content: dict[str, Any]) -> None:
    with pytest.raises(RecordUnreadable):
        journal(Store({STORE_KEY: content})).read()


def test_a_store_that_does_not_answer_is_not_an_empty_one() -> None:
    store = Store()
    store.error = RuntimeError("503 Service Unavailable")

    with pytest.raises(RecordUnreadable):
        journal(store).read()
    journal(store).write(RECORD)  # costs a safety net, not the task


def test_a_try_that_airflow_has_given_up_is_told_so_before_it_submits_and_knows_it_afterwards() -> None:
    store = Store()
    store.error = RuntimeError("Task instance 01a not found")
    given_up = journal(store)

    given_up.write(RECORD)
    with pytest.raises(AirflowException, match="given up this try"):
        given_up.write(RECORD.with_job_id(""))

    assert given_up.given_up
