"""Defaults for jobs: a connection goes before ``[armada]``."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.sdk import Connection

from airflow_armada.client.failure import SettingsError
from airflow_armada.hooks.job_defaults import configured_defaults, job_defaults
from airflow_armada.hooks.settings import site_settings


def settings(**extra: Any) -> Any:
    return site_settings(Connection(conn_id="c", conn_type="armada", host="h", extra=json.dumps(extra)))


def test_a_connection_goes_before_the_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__ARMADA__DEFAULT_QUEUE", "everybodys")
    monkeypatch.setenv("AIRFLOW__ARMADA__DEFAULT_NAMESPACE", "shared")
    monkeypatch.setenv("AIRFLOW__ARMADA__DEFAULT_LABELS", '{"team": "all", "site": "x"}')

    found = job_defaults(settings(default_queue="research", default_labels={"team": "a"}))

    assert (found.queue, found.namespace) == ("research", "shared")
    assert dict(found.labels) == {"team": "a", "site": "x"}


def test_without_any_there_are_none() -> None:
    assert job_defaults(settings()) == configured_defaults() == type(configured_defaults())()


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ({"default_resources": {"memory": "4GB"}}, "connection 'c': default_resources: memory must be a quantity"),
        ({"default_resources": "2"}, "connection 'c': extra 'default_resources' must be a JSON object"),
        ({"default_queue": ["a"]}, "connection 'c': extra 'default_queue' must be text"),
    ],
)
def test_a_wrong_field_names_the_connection(extra: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsError) as raised:
        settings(**extra)

    assert says in str(raised.value)


def test_a_wrong_option_names_the_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__ARMADA__DEFAULT_LABELS", "team=a")

    with pytest.raises(SettingsError, match=r"\[armada\] 'default_labels' must be a JSON object"):
        configured_defaults()
