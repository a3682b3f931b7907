"""Why a job is still queued, in one sentence, from reports as the real scheduler writes them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_armada.follow.state.queue_reason import queue_reason
from tests.support.recordings import FOLDER, recordings

CALLS = json.loads((FOLDER / "calls.json").read_text())
JOB = "01m8dtxqsk08p714kpa50mkneg"


def recorded(call: str) -> str:
    return str(CALLS[call]["answer"]["report"])


def report(reason: str, *excluded: str, nodes: int = 6) -> str:
    rows = "".join(f"\n   {one}" for one in excluded) if excluded else "             none"
    return (
        f"default:\n Most recent scheduling round that affected job {JOB}:\n  Time:                2026-11-27\n"
        f"  Job ID:              {JOB}\n  UnschedulableReason: {reason}\n  Node:                       none\n"
        f"  Number of nodes in cluster: {nodes}\n  Excluded nodes:{rows}\n"
    )


def why(job_report: str = "", queue_report: str = "", *, cordoned: bool = False, job_id: str = JOB) -> str:
    return queue_reason(job_id, "dq", cordoned=cordoned, job_report=job_report, queue_report=queue_report)


def test_a_cordoned_queue_is_the_reason_whatever_the_scheduler_says() -> None:
    assert why(recorded("job report unknown"), cordoned=True).startswith("queue dq is cordoned")


@pytest.mark.parametrize("text", [one.report for one in recordings() if one.report])
def test_what_is_no_answer_is_not_shown(text: str) -> None:
    assert why(text) == ""


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            report("job does not fit on any node", "6: node does not match pod NodeSelector: label disk not set"),
            "no node can ever run it: node does not match pod NodeSelector: label disk not set (6 of 6)",
        ),
        (
            report(
                "job does not fit on any node",
                "5: pod requires 8 cpu, but only 2 is available",
                "1: taint a not tolerated",
            ),
            "no node has room for it now: pod requires 8 cpu, but only 2 is available (5 of 6); "
            "taint a not tolerated (1 of 6)",
        ),
        (report("job does not fit on any node"), "no node has room for it now"),
        (
            report("maximum total resources for this queue exceeded"),
            "its queue has used up the resources that it may have",
        ),
        (
            report("queue scheduling rate limit exceeded"),
            "jobs are started at a limited rate (queue scheduling rate limit exceeded)",
        ),
        (
            report("unable to schedule gang since minimum cardinality not met"),
            "its gang cannot be placed as a whole (unable to schedule gang since minimum cardinality not met)",
        ),
        (report("queue cordoned"), "its queue is cordoned"),
        (
            report("gang cardinality too large: exceeds queue max burst size"),
            "its gang is larger than what the scheduler starts at once, so it never starts "
            "(gang cardinality too large: exceeds queue max burst size)",
        ),
        (
            report("gang would exceed global scheduling rate limit"),
            "jobs are started at a limited rate (gang would exceed global scheduling rate limit)",
        ),
        (
            report("no nodes with uniformity label rack"),
            "no node has the label by which its gang is to be placed, or the scheduler does not know it "
            "(no nodes with uniformity label rack)",
        ),
        (
            report("global new job scheduling duration exceeded"),
            "the scheduler's round was over before it came to it (global new job scheduling duration exceeded)",
        ),
        (report("something new"), "something new"),
    ],
)
def test_the_report_on_the_job_is_put_into_words(text: str, sentence: str) -> None:
    assert why(text) == sentence


def test_the_pools_are_told_apart_where_they_differ() -> None:
    one, other = report("something new"), report("something else").replace("default:", "gpu:")

    assert why(one + other) == "in pool default something new; in pool gpu something else"
    assert why(one + one.replace("default:", "gpu:")) == "something new"


def test_a_job_that_the_scheduler_has_not_come_to_is_explained_by_its_queue() -> None:
    nothing = recorded("job report unknown")

    assert why(nothing, recorded("queue report")) == "no node has room for it now"
    assert why(nothing, recorded("queue report"), job_id="another").startswith(
        "the scheduler has not come to it yet; of "
    )
    assert why(nothing, recorded("queue report missing")) == "the scheduler has not looked at queue dq yet"
    assert why(nothing) == ""


GANG = {"armadaproject.io/gangId": "band", "armadaproject.io/gangCardinality": "3"}


def waits_for_gang(job_report: str, queue_report: str = "", *, cordoned: bool = False, **annotations: str) -> str:
    named = {**GANG, **{f"armadaproject.io/{name}": value for name, value in annotations.items()}}
    return queue_reason(
        JOB, "dq", cordoned=cordoned, job_report=job_report, queue_report=queue_report, annotations=named
    )


def test_that_a_gang_may_be_incomplete_is_told_where_the_scheduler_tells_nothing_of_the_job() -> None:
    nothing, gang = recorded("job report unknown"), "it is one of a gang of 3, of which none starts before all"

    assert waits_for_gang(nothing).startswith(gang)
    assert waits_for_gang(nothing, recorded("queue report missing")).startswith(
        f"the scheduler has not looked at queue dq yet; {gang}"
    )
    assert gang not in waits_for_gang(report("job does not fit on any node"))
    assert gang not in waits_for_gang(nothing, cordoned=True)
    assert waits_for_gang(nothing, gangCardinality="1") == ""


@given(st.text(max_size=300), st.text(max_size=300))
def test_fuzz_any_text_is_a_report(job_report: str, queue_report: str) -> None:
    why(job_report, queue_report)
