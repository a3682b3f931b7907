"""Connections on a real Airflow: jobs that outlive their tokens, changes while a job runs, and the form."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from airflow_armada.client.site.fields import FIELDS
from airflow_armada.standalone.auth import Credentials, Principal
from airflow_armada.standalone.server import StandaloneArmada
from tests.support.airflow_api import DagRun
from tests.support.airflow_stack import AirflowStack, armada_connection
from tests.support.components import wait_until
from tests.support.oidc import CLIENT_SECRET, OidcProvider, oidc_provider

MODES = ("deferred", "blocking")
OLD, NEW = "CANARY-token-before-the-change", "CANARY-token-after-the-change"
NUMBERS = [str(number) for number in range(10)]


@dataclass
class Door:
    """An Armada, and the tokens that it was shown."""

    server: StandaloneArmada
    shown: set[str] = field(default_factory=set)


@pytest.fixture(scope="module")
def provider() -> Iterator[OidcProvider]:
    with oidc_provider(tokenLifetime=2) as running:
        yield running


@pytest.fixture(scope="module")
def door(provider: OidcProvider) -> Iterator[Door]:
    shown: set[str] = set()

    def verify(token: str) -> Principal | None:
        shown.add(token)
        return provider.verify(token)

    guard = Credentials(tokens={OLD: "robot"}, verify_token=verify)
    with StandaloneArmada(cpus=4, memory="4Gi", credentials=guard) as server:
        server.create_queue("research")
        yield Door(server, shown)


def connection(door: Door, name: str, **extra: Any) -> dict[str, Any]:
    """Return a connection in the form in which the UI saves it."""
    values = json.loads(armada_connection(door.server.target, allow_plaintext_credentials=True, **extra))
    return {**values, "connection_id": name, "extra": json.dumps(values["extra"])}


@pytest.fixture(scope="module")
def run(airflow: AirflowStack, door: Door, provider: OidcProvider, tmp_path_factory: pytest.TempPathFactory) -> DagRun:
    """A run of jobs whose tokens expire every two seconds, and of others whose connection is changed meanwhile."""
    go: Path = tmp_path_factory.mktemp("doors") / "go"
    expiring = {
        "auth": "oidc_client_credentials",
        "oidc_provider_url": provider.issuer,
        "oidc_client_id": "machine",
        "oidc_client_secret": CLIENT_SECRET,
    }
    airflow.api.call("POST", "/connections", connection(door, "expiring", **expiring))
    airflow.api.call("POST", "/connections", connection(door, "changing", token=OLD))
    run = airflow.api.trigger("doors", {"go": str(go)})
    for task_id, state in (("changing_deferred", "deferred"), ("changing_blocking", "running")):
        run.wait_for_task(task_id, state, deadline=120)
        wait_until(partial(shows, run, task_id, "before"), f"the job of {task_id} to begin", 120)
    door.server.authenticator.add_token(NEW, "robot")
    airflow.api.call("PATCH", "/connections/changing", connection(door, "changing", token=NEW))
    door.server.authenticator.expire_token(OLD)
    door.server.faults.close_streams()
    go.touch()
    run.wait(deadline=240)
    return run


def lines(run: DagRun, task_id: str) -> list[str]:
    """Return what the job of a task has written, as its log shows it."""
    return [record["event"] for record in run.log(task_id) if record.get("logger") == "armada.pod"]


def shows(run: DagRun, task_id: str, line: str) -> bool:
    return line in lines(run, task_id)


@pytest.mark.parametrize("mode", MODES)
def test_a_job_that_outlives_three_tokens_is_followed_to_its_end_with_its_log(
    run: DagRun, door: Door, mode: str
) -> None:
    assert run.task(f"expiring_{mode}")["state"] == "success"
    assert lines(run, f"expiring_{mode}") == NUMBERS
    assert len(door.shown) > 3 * len(MODES)


@pytest.mark.parametrize("mode", MODES)
def test_a_changed_connection_reaches_a_job_that_is_followed_already(run: DagRun, mode: str) -> None:
    assert run.task(f"changing_{mode}")["state"] == "success"
    assert lines(run, f"changing_{mode}") == ["before", "after"]


def test_the_form_has_every_field_with_its_help(airflow: AirflowStack) -> None:
    token = airflow.api._token
    request = urllib.request.Request(f"{airflow.api.base_url}/ui/connections/hook_meta")
    request.add_header("Authorization", f"Bearer {token}")
    with urllib.request.urlopen(request, timeout=60) as answer:
        (form,) = [hook for hook in json.load(answer) if hook["connection_type"] == "armada"]

    assert form["hook_name"] == "Armada"
    assert {one.name for one in FIELDS} | {"tls", "lookout_url", "binoculars", "binoculars_by_cluster"} <= set(
        form["extra_fields"]
    )
    assert all(one["schema"]["title"] and one["description"] for one in form["extra_fields"].values())
    assert form["standard_fields"]["host"]["placeholder"] == "armada.example.com"
