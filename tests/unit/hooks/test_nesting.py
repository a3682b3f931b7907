"""Every reader of JSON or YAML stands values that are nested as deeply as they are long."""

from __future__ import annotations

import base64
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from airflow.sdk import Connection

from airflow_armada.client.auth.kubernetes_native import token_of
from airflow_armada.client.auth.token_cache import TokenCache
from airflow_armada.client.auth.tokens import jwt_claims
from airflow_armada.client.failure import ArmadaError, SettingsError
from airflow_armada.client.site.allowed_credentials import EVERYTHING
from airflow_armada.client.site.armadactl import parse_armadactl
from airflow_armada.client.site.field_values import FieldValues
from airflow_armada.client.site.fields import credentials_from
from airflow_armada.client.site.lookout_discovery import parse_config
from airflow_armada.hooks.settings import site_settings
from airflow_armada.hooks.site_rules import _read
from airflow_armada.jobs.job_forms import read_jobs
from airflow_armada.jobs.problems import InvalidJob
from airflow_armada.jobs.result_value import ResultError, read_value
from airflow_armada.standalone.__main__ import _error_categories

DEEP = {
    "lists": "[" * 30_000,
    "objects": '{"a":' * 30_000,
    "lists that end": "[" * 30_000 + "]" * 30_000,
}


def cached(text: str) -> object:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        cache = TokenCache(f"{folder}/tokens.json")
        cache.file.write_text(text)
        cache.file.chmod(0o600)
        return cache.read("key")


def categories(text: str) -> object:
    import tempfile

    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_text(text)
        return _error_categories(file.name)


def of_field(text: str) -> object:
    values = {"auth": "token_command", "token_command": "t", "token_command_arguments": text}
    return credentials_from(FieldValues("", "", values), EVERYTHING)


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


READERS: dict[str, Callable[[str], object]] = {
    "claims of a token": lambda text: jwt_claims(f"e30.{encoded(text)}.c2ln"),
    "token of Kubernetes": lambda text: token_of(f"KubernetesAuth {encoded(text)}"),
    "token cache": cached,
    "field of a connection": of_field,
    "extra of a connection": lambda text: site_settings(
        Connection(conn_id="c", conn_type="armada", host="h", extra=text)
    ),
    "page of Lookout": lambda text: parse_config(
        f'window.__LOOKOUT_UI_CONFIG__ = {{"armadaApiBaseUrl": {text}}}'.encode(), "u"
    ),
    "file of armadactl": lambda text: parse_armadactl(text.encode(), "f"),
    "rules of a server": lambda text: _read(text, "c"),
    "manifest": lambda text: read_jobs(text, "pod_spec"),
    "result": read_value,
    "categories of errors": categories,
}


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP)
@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_deep_nesting_is_nothing_or_an_error_of_ours(reader: Callable[[str], object], text: str) -> None:
    with suppress(ArmadaError, SettingsError, InvalidJob, ResultError, ValueError):
        reader(text)
