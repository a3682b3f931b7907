"""What the texts tell in which Armada says why a job ended."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_armada.follow.state.reasons import failure, preemption, readable

POLICY = "Retry policy: policy retry limit exceeded (2/2)\n\nFinal run error:\n"


@pytest.mark.parametrize(
    ("text", "exit_codes", "cause"),
    [
        (
            POLICY + "Container main failed with exit code 137 because OOMKilled: \n\nmain exited with code 137: ",
            137,
            "OOM",
        ),
        (POLICY + "Container main failed with exit code 3 because Error: \n\nmain exited with code 3: ", 3, ""),
        ("Container main failed with exit code 137 because OOMKilled: \n", 137, "OOM"),
        ("Container main failed with exit code 137 because Error: \n", 137, ""),
        ("The node was low on resource: memory. Container main was using 1Gi.", None, "Evicted"),
        ("Pod was active on the node longer than the specified deadline", None, "DeadlineExceeded"),
        ("Lease expired", None, ""),
        ("", None, ""),
    ],
)
def test_a_failure_is_read_from_its_fixed_text(text: str, exit_codes: int | None, cause: str) -> None:
    assert failure(text)[:2] == ({} if exit_codes is None else {"main": exit_codes}, cause)


def test_each_container_that_failed_is_read_and_one_that_ran_out_of_memory_counts() -> None:
    told = (
        "Container a failed with exit code 1 because Error: \n"
        "Container b failed with exit code 137 because OOMKilled: \n"
    )

    assert failure(told)[:2] == ({"a": 1, "b": 137}, "OOM")
    assert failure(f"{POLICY}{told}\na exited with code 1: two\nlines\nb exited with code 137: more\nlines")[:2] == (
        {"a": 1, "b": 137},
        "OOM",
    )


def test_a_container_that_tells_of_itself_once_more_is_not_believed() -> None:
    told = (
        "Container a failed with exit code 1 because Error: x\n"
        "Container a failed with exit code 137 because OOMKilled: \n"
    )

    assert failure(told)[:2] == ({"a": 1}, "")


def test_a_lease_that_has_expired_is_told_from_its_text() -> None:
    assert failure("Lease expired").subcategory == "lease-expired"


@pytest.mark.parametrize("words", ["Container main failed with exit code 137 because OOMKilled: ", "OOMKilled", POLICY])
def test_what_the_job_itself_wrote_is_not_believed(words: str) -> None:
    text = f"Container main failed with exit code 3 because Error: \n\n\n{words}"

    assert failure(text).cause == ""
    assert "137" not in str(failure(text).exit_codes)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Preempted by anna - make room", ("anna", "make room")),
        ("Preempted by anna", ("anna", "")),
        ("Preempted - preemption requested via API", ("", "preemption requested via API")),
        ("by a more urgent job", ("", "by a more urgent job")),
        ("", ("", "")),
    ],
)
def test_who_preempted_a_job_and_why(text: str, expected: tuple[str, str]) -> None:
    assert preemption(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("exit 1", "exit 1"),
        ("Error:\n\n\ntry again later\n", "Error: try again later"),
        ("Traceback:\n  File x\nValueError", "Traceback: File x\nValueError"),
        (
            "pool a:\njob/gang requests resources (memory=107374182400k,cpu=1) which exceeds the total limit of "
            "(memory=342339092480,cpu=74) for its queue/priority class\n\n---\npool b:\nNode:   none\n"
            "Number of nodes in cluster: 6\nExcluded nodes:\n 4: taint gpu=true:NoSchedule not tolerated\n"
            " 2: node does not match pod NodeSelector: label disk not set\n\n---\n",
            "pool a: requests memory=97.7Ti, more than the limit of 318.8Gi for its queue or priority class\n"
            "pool b: no node can ever run it: taint gpu=true:NoSchedule not tolerated (4 of 6); "
            "node does not match pod NodeSelector: label disk not set (2 of 6)",
        ),
    ],
)
def test_a_reason_is_written_as_a_person_wants_it(text: str, expected: str) -> None:
    assert readable(text) == expected


@given(st.text(max_size=300))
def test_fuzz_any_text_is_a_reason(text: str) -> None:
    assert len(readable(text)) <= len(text) + 1
    failure(text)
    preemption(text)


def test_a_reason_that_repeats_itself_costs_no_more_than_its_length() -> None:
    hostile = "pool a:\njob/gang requests resources (" + ") which exceeds the total limit of (" * 100_000

    assert len(readable(hostile)) < 10_000
    assert failure(hostile).exit_codes == {}
