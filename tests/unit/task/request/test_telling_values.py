"""Which values of a job's environment are hidden."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_armada.jobs.build import build
from airflow_armada.task.request.telling_values import hide_telling_values

SECRET = "hunter2hunter2"
ENV = [{"name": "DB_PASSWORD", "value": SECRET}, {"name": "COLOUR", "value": "green and blue"}]
POD = {"containers": [{"name": "base", "image": "i", "env": ENV}]}


@pytest.fixture
def hidden(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    values: list[str] = []
    monkeypatch.setattr("airflow.sdk.log.mask_secret", values.append)
    return values


@pytest.mark.parametrize(
    "arguments",
    [
        {"env_vars": ENV},
        {"pod_spec": POD},
        {"pod_spec": str(POD)},
        {"job_request": {"podSpec": POD}},
        {"containers": POD["containers"]},
        {"init_containers": [{"env": ENV, "unknown": 1}]},
    ],
)
def test_what_makes_no_job_is_searched_as_it_was_given(hidden: list[str], arguments: dict[str, Any]) -> None:
    hide_telling_values(arguments, None)

    assert hidden == [SECRET]


def test_the_request_is_searched_too(hidden: list[str]) -> None:
    hide_telling_values({}, build(pod_spec=POD))

    assert hidden == [SECRET]


@pytest.mark.parametrize("value", ["true", "False", "none"])
def test_words_that_would_vanish_from_every_line_are_not_hidden(hidden: list[str], value: str) -> None:
    hide_telling_values({"env_vars": [{"name": "USE_TOKEN", "value": value}]}, None)

    assert hidden == []
