"""Whatever a connection, a URI, a file or a token may hold: it works, or one line says what is wrong."""

from __future__ import annotations

import base64
import io
import json
import tempfile
from argparse import Namespace
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import Connection
from hypothesis import given
from hypothesis import strategies as st

from airflow_armada.cli.main import main
from airflow_armada.cli.site import settings_from, settings_of_uri
from airflow_armada.client.auth.credentials import BearerToken, TokenFile
from airflow_armada.client.failure import ArmadaError, CredentialsError, SettingsError
from airflow_armada.client.settings import SiteSettings
from airflow_armada.client.site.allowed_credentials import EVERYTHING
from airflow_armada.client.site.fields import FIELDS, KINDS
from airflow_armada.hooks.settings import site_settings

OTHERS = ("tls", "binoculars", "binoculars_by_cluster", "binoculars_tls", "call_timeout", "keepalive_time", "use_proxy")
NAMES = [one.name for one in FIELDS] + [*OTHERS, "ca_file", "cert_file", "key_file", "server_name"]
JUNK = st.text(max_size=20) | st.sampled_from(
    ["armada:443", "h", "[::1]", "::1", "https://h", "h:99999", "dns:///h", "unix:/x", "h:1:2", "a b", "{CLUSTER_ID}"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | JUNK | st.sampled_from(["{}", "[1]", "true", "1e400"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
EXTRAS = st.dictionaries(st.sampled_from(NAMES), VALUES | st.sampled_from(list(KINDS)), max_size=5)
URIS = st.text(max_size=40) | st.builds(
    "{}://{}@{}:{}/{}?{}".format,
    st.sampled_from(["armada", "grpc", "grpcs", "http", "ftp", "", "%"]),
    JUNK,
    JUNK,
    st.integers(-1, 99999) | JUNK,
    JUNK,
    JUNK | st.sampled_from(["__extra__=%7B", "__extra__=[]", "tls=maybe", "token=%00", "armadactl=/dev/null"]),
)


@dataclass
class FuzzedConnection:
    host: str | None
    port: int | None
    login: str | None
    password: str | None
    extra_dejson: Any = field(default_factory=dict)
    conn_id: str = "fuzzed"


def assert_one_clear_line(error: ArmadaError, names: str = "") -> None:
    text = str(error)
    assert text.strip()
    assert names in text
    assert "\n" not in text
    assert "\r" not in text


@given(st.none() | JUNK, st.none() | st.integers(-1, 99999), st.none() | JUNK, st.none() | JUNK, EXTRAS | VALUES)
def test_fuzz_any_connection(
    host: str | None, port: int | None, login: str | None, password: str | None, extra: Any
) -> None:
    try:
        found = site_settings(FuzzedConnection(host, port, login, password, extra), EVERYTHING)
    except SettingsError as error:
        assert_one_clear_line(error, "'fuzzed'")
    else:
        assert isinstance(found, SiteSettings)
        assert hash(found) == hash(found)


@given(URIS)
def test_fuzz_any_uri_on_the_command_line(uri: str) -> None:
    try:
        assert isinstance(settings_of_uri(uri, "$ARMADA_URL"), SiteSettings)
    except SettingsError as error:
        assert_one_clear_line(error)


@pytest.mark.parametrize("extra", ["", "{", "[]", "null", '"text"', "7", '{"tls": "maybe"}', "\x00", "[" * 5000])
def test_any_extra_of_airflow(extra: str) -> None:
    connection = Connection(conn_id="fuzzed", conn_type="armada", host="h", extra=extra)
    try:
        assert site_settings(connection).target == "h:50051"
    except SettingsError as error:
        assert_one_clear_line(error)


@given(st.binary(max_size=80) | st.text(max_size=80).map(str.encode))
def test_fuzz_any_token_file(content: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        try:
            header = TokenFile(file.name).authorization()
        except CredentialsError as error:
            assert_one_clear_line(error, file.name)
        else:
            assert header.isascii()
            assert header.startswith("Bearer ")


@given(VALUES)
def test_fuzz_any_claims_of_a_token(expiry: object) -> None:
    claims = base64.urlsafe_b64encode(json.dumps({"exp": expiry}).encode()).decode().rstrip("=")

    assert BearerToken(f"e30.{claims}.c2ln").authorization() == f"Bearer e30.{claims}.c2ln"


def run(*arguments: str) -> tuple[int, str]:
    """Run a command in this process, and return its exit code and what it says about errors."""
    errors = io.StringIO()
    with redirect_stdout(io.StringIO()), redirect_stderr(errors):
        code = main(arguments)
    return code, errors.getvalue()


@pytest.mark.parametrize("command", [("queues", "--armadactl"), ("submit", "--dry-run")])
@given(
    content=st.binary(max_size=80)
    | st.dictionaries(st.sampled_from(["jobs", "queue", "jobSetId", "contexts", "kind", "spec"]), VALUES).map(
        lambda document: json.dumps(document).encode()
    )
)
def test_fuzz_any_file_for_a_command(command: tuple[str, ...], content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "file.yaml"
        file.write_bytes(content)
        code, said = run(*command, str(file))

    assert code in (1, 3)
    assert "unexpected" not in said
    assert "Traceback" not in said


@given(st.none() | URIS, st.none() | st.just("/nowhere"), st.none() | JUNK)
def test_fuzz_any_arguments_that_name_a_site(uri: str | None, armadactl: str | None, context: str | None) -> None:
    if uri is None and armadactl is None:
        uri = ""
    try:
        settings_from(Namespace(conn_id=None, uri=uri, armadactl=armadactl, context=context))
    except ArmadaError as error:
        assert_one_clear_line(error)
