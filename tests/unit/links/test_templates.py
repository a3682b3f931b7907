"""Addresses of pages about a job: what may stand in one, and that no server chooses where it leads."""

from __future__ import annotations

import re
from typing import Any

import pytest

from airflow_armada.links.templates import FACTS, check_template, fill, is_known_at_submission

PLAIN = {"job_id": "01k9", "queue": "research", "cluster": "cluster-a"}


@pytest.mark.parametrize(
    ("template", "made"),
    [
        ("https://grafana/d/x?var-job={job_id}", "https://grafana/d/x?var-job=01k9"),
        ("https://lookout/jobs/<job_id>", "https://lookout/jobs/01k9"),
        ("https://grafana.{cluster}.example.com/{queue}", "https://grafana.cluster-a.example.com/research"),
        ("http://h/#/job/{job_id}", "http://h/#/job/01k9"),
        ("https://h/without", "https://h/without"),
        ("https://h/{node}", ""),
    ],
)
def test_facts_take_their_places(template: str, made: str) -> None:
    check_template(template, "link")

    assert fill(template, PLAIN) == made


@pytest.mark.parametrize("value", ["../../x", "a/b?c#d", "a b", "x&y=1", "%2F", "\N{SNOWMAN}", "evil.example/x"])
def test_a_fact_stays_one_part_of_the_address(value: str) -> None:
    made = fill("https://h/{queue}?q={queue}", {"queue": value})

    assert re.fullmatch(r"https://h/[A-Za-z0-9%._~-]+\?q=[A-Za-z0-9%._~-]+", made)


@pytest.mark.parametrize("value", ["evil.example", "a/b", "a@b", "a:80", "a#", ""])
def test_a_fact_in_the_host_chooses_no_other_host(value: str) -> None:
    assert fill("https://{cluster}/x", {"cluster": value}) == ""


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("javascript:alert(1)", "must be an address such as https://host/path"),
        ("https://me:secret@h/", "the host of link"),
        ("/jobs/{job_id}", "must be an address such as"),
        ("https://h/{jobid}", "{jobid} is no fact about a job; known are {job_id}, {queue}"),
        ("https://h/{}", "{} is no fact"),
        ("https://h/a b", "spaces"),
        (5, "must be a text such as https://host/path?job={job_id}, not int"),
    ],
)
def test_what_is_no_address_is_refused_without_showing_it(template: Any, says: str) -> None:
    with pytest.raises(ValueError, match="link") as raised:
        check_template(template, "link")

    assert says in str(raised.value)
    assert "secret" not in str(raised.value)


def test_only_where_a_job_ran_is_known_at_its_end() -> None:
    assert [name for name in FACTS if not is_known_at_submission(f"https://h/{{{name}}}")] == [
        "cluster",
        "node",
        "pod",
        "run_id",
    ]
