"""What Airflow reads about the provider."""

from __future__ import annotations

import json
from importlib.metadata import entry_points
from importlib.resources import files
from pkgutil import resolve_name
from typing import Any

import jsonschema
import pytest
from airflow.providers_manager import ProvidersManager

from airflow_armada.client.site.fields import FIELDS, KINDS
from airflow_armada.hooks.armada import ArmadaHook
from airflow_armada.hooks.settings import site_settings
from airflow_armada.provider_info import get_provider_info


@pytest.fixture
def info() -> dict[str, Any]:
    return get_provider_info()


def test_fits_airflows_schema(info: dict[str, Any]) -> None:
    schema = json.loads(files("airflow").joinpath("provider_info.schema.json").read_text())

    jsonschema.validate(info, schema)


def test_is_found_through_its_entry_point() -> None:
    found = {entry.load() for entry in entry_points(group="apache_airflow_provider", name="provider_info")}

    assert get_provider_info in found
    assert ProvidersManager().providers["airflow-armada"].data["name"] == "Armada"


def test_every_class_and_module_it_names_exists(info: dict[str, Any]) -> None:
    for kind in ("operators", "hooks", "triggers"):
        for integration in info[kind]:
            for module in integration["python-modules"]:
                __import__(module)
    for connection in info["connection-types"]:
        assert resolve_name(connection["hook-class-name"])
    for link in info["extra-links"]:
        assert resolve_name(link)
    for decorator in info["task-decorators"]:
        assert resolve_name(decorator["class-name"])


def test_connection_type_is_the_hooks(info: dict[str, Any]) -> None:
    (connection,) = info["connection-types"]

    assert connection["connection-type"] == ArmadaHook.conn_type
    assert connection["hook-name"] == ArmadaHook.hook_name
    assert resolve_name(connection["hook-class-name"]) is ArmadaHook


def test_form_shows_every_field_and_hides_every_secret(info: dict[str, Any]) -> None:
    manager = ProvidersManager()
    shown = {one.connection_type: one for one in manager.iter_connection_type_hook_ui_metadata()}["armada"]
    fields = info["connection-types"][0]["conn-fields"]

    assert shown.hook_name == "Armada"
    assert {name for name, field in fields.items() if field["schema"].get("format") == "password"} == {
        one.name for one in FIELDS if one.secret
    }
    for field in fields.values():
        assert field["label"]
        assert field["description"]


def test_form_has_sections_and_choices(info: dict[str, Any]) -> None:
    fields = info["connection-types"][0]["conn-fields"]
    sections = list(dict.fromkeys(field["schema"]["section"] for field in fields.values()))

    assert sections == ["Server", "Credentials", "Credentials: OpenID Connect", "Logs and links", "TLS", "Advanced"]
    assert [*KINDS] == fields["auth"]["schema"]["enum"]
    for field in fields.values():
        choices = field["schema"].get("enum", [])
        assert all(isinstance(choice, str) for choice in choices)
        assert set(choices) == set(field["schema"].get("values_display", choices))
        assert "null" in field["schema"]["type"]  # else the form takes an empty field for a missing one


def test_each_default_of_the_form_makes_a_working_connection(info: dict[str, Any]) -> None:
    from airflow.sdk import Connection

    fields = info["connection-types"][0]["conn-fields"]
    extra = {name: field["schema"].get("default") for name, field in fields.items()}
    bare = Connection(conn_id="c", conn_type="armada", host="h")
    filled = Connection(conn_id="c", conn_type="armada", host="h", extra=json.dumps(extra))

    assert site_settings(filled) == site_settings(bare)


def test_options_are_known_to_airflows_configuration(info: dict[str, Any]) -> None:
    from airflow.configuration import conf

    for name, option in info["config"]["armada"]["options"].items():
        assert conf.get("armada", name) == option["default"]
