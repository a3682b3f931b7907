"""The page of a job."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from airflow_armada.api import job_pb2
from airflow_armada.client.typings import JobState
from airflow_armada.local.job_page import job_html

OURS = {"html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "span", "table", "tr", "th", "td", "pre"}


def details(text: str = "x") -> job_pb2.JobDetails:
    run = job_pb2.JobRunDetails(run_id="r", cluster=text, node=text, state=job_pb2.RUN_STATE_FAILED)
    return job_pb2.JobDetails(
        job_id="01k9", queue=text, jobset=text, namespace=text, state=JobState.FAILED.value, job_runs=[run]
    )


def test_a_page_tells_what_became_of_the_job() -> None:
    page = job_html(details(), "Container base failed with exit code 3", {"base": "one\ntwo"})

    text = re.sub("<[^>]*>", " ", page)
    for told in ("Job 01k9", "failed", "exit code 3", "Run 1", "Log of base", "one\ntwo"):
        assert told in text


@given(st.text(st.sampled_from("<>&\"'/\0\x1b\nab=script "), max_size=40))
def test_nothing_that_a_job_wrote_becomes_part_of_the_page(text: str) -> None:
    page = job_html(details(text), text, {text: text})

    assert {tag.lower() for tag in re.findall(r"<([a-zA-Z0-9]+)", page)} <= OURS
    assert "\x1b" not in page
    assert not re.findall(r"<[^>]*\son\w+=", page)
