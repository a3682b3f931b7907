"""Channels over real sockets: TLS, credentials and their renewal, what is refused before anything is sent."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from airflow_armada.api import health_pb2
from airflow_armada.api.event_pb2 import EventStreamMessage
from airflow_armada.client import errors
from airflow_armada.client.asyncio_client import ArmadaAsyncIOClient
from airflow_armada.client.auth.credentials import Basic, BearerToken, Credentials, TokenFile, TokenVariable
from airflow_armada.client.channel import channel_options, open_aio_channel, open_channel
from airflow_armada.client.client import ArmadaClient
from airflow_armada.client.failure import SettingsError
from airflow_armada.client.settings import SiteSettings, TlsSettings
from tests.support.identities import Identity, make_identity
from tests.support.scripted_server import ScriptedServer, scripted_server

Code = grpc.StatusCode
SERVING = health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)


def server_credentials(identity: Identity, client_ca: Identity | None = None) -> grpc.ServerCredentials:
    pair = (Path(identity.key_file).read_bytes(), Path(identity.cert_file).read_bytes())
    roots = Path(client_ca.cert_file).read_bytes() if client_ca else None
    return grpc.ssl_server_credentials([pair], root_certificates=roots, require_client_auth=client_ca is not None)


@pytest.fixture
def authority(tmp_path: Path) -> Identity:
    return make_identity(tmp_path, "authority")


def serve_tls(identity: Identity, client_ca: Identity | None = None) -> Iterator[ScriptedServer]:
    server = ScriptedServer(server_credentials(identity, client_ca), {"Health": lambda request, context: SERVING})
    server.start()
    yield server
    server.stop()


@pytest.fixture
def tls_server(tmp_path: Path, authority: Identity) -> Iterator[ScriptedServer]:
    yield from serve_tls(make_identity(tmp_path, "127.0.0.1", authority))


async def healthy(settings: SiteSettings) -> bool:
    """Ask for health through both kinds of channel."""
    with ArmadaClient(open_channel(settings), retry_timeout=0) as client:
        answers = [client.submit_health()]
    async with ArmadaAsyncIOClient(open_aio_channel(settings), retry_timeout=0) as aio_client:
        answers.append(await aio_client.submit_health())
    return answers == [SERVING, SERVING]


async def test_a_server_of_a_private_authority_is_verified(tls_server: ScriptedServer, authority: Identity) -> None:
    assert await healthy(SiteSettings(tls_server.target, tls=TlsSettings(ca_file=authority.cert_file)))


async def test_a_server_of_an_unknown_authority_is_refused(tls_server: ScriptedServer) -> None:
    with pytest.raises(errors.Unavailable):
        await healthy(SiteSettings(tls_server.target))

    assert tls_server.received == []


async def test_a_wrong_name_is_refused_unless_it_is_the_expected_one(tmp_path: Path, authority: Identity) -> None:
    for server in serve_tls(make_identity(tmp_path, "armada.example", authority)):
        with pytest.raises(errors.Unavailable):
            await healthy(SiteSettings(server.target, tls=TlsSettings(ca_file=authority.cert_file)))

        named = TlsSettings(ca_file=authority.cert_file, server_name="armada.example")
        assert await healthy(SiteSettings(server.target, tls=named))


async def test_an_expired_certificate_is_refused(tmp_path: Path, authority: Identity) -> None:
    for server in serve_tls(make_identity(tmp_path, "127.0.0.1", authority, days=-1)):
        with pytest.raises(errors.Unavailable):
            await healthy(SiteSettings(server.target, tls=TlsSettings(ca_file=authority.cert_file)))


async def test_a_server_that_wants_a_client_certificate_gets_it(tmp_path: Path, authority: Identity) -> None:
    client = make_identity(tmp_path, "client", authority)
    shown = TlsSettings(ca_file=authority.cert_file, cert_file=client.cert_file, key_file=client.key_file)
    for server in serve_tls(make_identity(tmp_path, "127.0.0.1", authority), authority):
        assert await healthy(SiteSettings(server.target, tls=shown))

        with pytest.raises(errors.Unavailable):
            await healthy(SiteSettings(server.target, tls=TlsSettings(ca_file=authority.cert_file)))


def test_unusable_certificate_files_are_named_before_anything_is_sent(tmp_path: Path, authority: Identity) -> None:
    junk, other = tmp_path / "junk.pem", make_identity(tmp_path, "other")
    junk.write_bytes(bytes(range(256)))
    cases = {
        "cannot read the CA bundle /nowhere.pem": TlsSettings(ca_file="/nowhere.pem"),
        "holds no PEM certificate": TlsSettings(ca_file=str(junk)),
        "not PEM files": TlsSettings(cert_file=str(junk), key_file=str(junk)),
        "do not belong together": TlsSettings(cert_file=authority.cert_file, key_file=other.key_file),
    }
    for complaint, tls in cases.items():
        with pytest.raises(SettingsError, match=complaint):
            open_channel(SiteSettings("127.0.0.1:1", tls=tls))


def test_credentials_do_not_travel_in_plain_text_unless_allowed(caplog: pytest.LogCaptureFixture) -> None:
    settings = SiteSettings("127.0.0.1:1", tls=None, credentials=BearerToken("canary"))

    for opener in (open_channel, open_aio_channel):
        with pytest.raises(SettingsError, match="plain text"):
            opener(settings)
    with caplog.at_level(logging.WARNING):
        open_channel(SiteSettings("a:1", None, BearerToken("canary"), allow_plaintext_credentials=True)).close()

    assert "travel in plain text" in caplog.text
    assert "canary" not in caplog.text


def accepting(*headers: str) -> Any:
    """Answer only those who show one of some headers."""

    def answer(request: Any, context: grpc.ServicerContext) -> Any:
        if dict(context.invocation_metadata()).get("authorization") not in headers:
            context.abort(Code.UNAUTHENTICATED, "Request could not be authenticated")
        return SERVING

    return answer


def plain(server: ScriptedServer, credentials: Credentials) -> SiteSettings:
    return SiteSettings(server.target, tls=None, credentials=credentials, allow_plaintext_credentials=True)


@pytest.mark.parametrize(
    ("credentials", "header"),
    [(Basic("user", "pass"), "Basic dXNlcjpwYXNz"), (BearerToken("token"), "Bearer token")],
)
async def test_every_call_shows_the_credentials_with_and_without_tls(
    tls_server: ScriptedServer, authority: Identity, credentials: Credentials, header: str
) -> None:
    tls_server.answers["Health"] = accepting(header)

    assert await healthy(
        SiteSettings(tls_server.target, tls=TlsSettings(ca_file=authority.cert_file), credentials=credentials)
    )
    with scripted_server(Health=accepting(header)) as server:
        assert await healthy(plain(server, credentials))


async def test_a_refused_call_is_tried_once_more_when_the_token_has_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TOKEN", "old")

    def rotate(request: Any, context: grpc.ServicerContext) -> Any:
        monkeypatch.setenv("TOKEN", "new")
        return accepting("Bearer new")(request, context)

    with scripted_server(Health=rotate) as server:
        with ArmadaClient(open_channel(plain(server, TokenVariable("TOKEN")))) as client:
            assert client.submit_health() == SERVING
        monkeypatch.setenv("TOKEN", "old")
        async with ArmadaAsyncIOClient(open_aio_channel(plain(server, TokenVariable("TOKEN")))) as aio_client:
            assert await aio_client.submit_health() == SERVING

        assert [one.metadata["authorization"] for one in server.received] == ["Bearer old", "Bearer new"] * 2


async def test_a_token_that_does_not_change_is_not_tried_again() -> None:
    with scripted_server(Health=accepting("Bearer other")) as server:
        with pytest.raises(errors.Unauthenticated):
            await healthy(plain(server, BearerToken("wrong")))

        assert len(server.received) == 1


async def test_a_stream_that_was_refused_is_opened_with_the_renewed_token(tmp_path: Path) -> None:
    token = tmp_path / "token"

    def events(request: Any, context: grpc.ServicerContext) -> Any:
        seen = str(dict(context.invocation_metadata())["authorization"])
        token.write_text("new")
        accepting("Bearer new")(request, context)
        return iter([EventStreamMessage(id=seen)])

    with scripted_server(GetJobSetEvents=events) as server:
        settings = plain(server, TokenFile(str(token)))
        token.write_text("old")
        with ArmadaClient(open_channel(settings)) as client, client.get_job_events_stream("q", "s") as stream:
            assert [one.id for one in islice(stream, 1)] == ["Bearer new"]
        token.write_text("old")
        async with (
            ArmadaAsyncIOClient(open_aio_channel(settings)) as aio_client,
            await aio_client.get_job_events_stream("q", "s") as aio_stream,
        ):
            assert (await anext(aio_stream)).id == "Bearer new"


async def test_a_token_that_cannot_be_had_is_an_error_of_its_own(tmp_path: Path) -> None:
    with scripted_server(Health=accepting()) as server:
        settings = plain(server, TokenFile(str(tmp_path)))
        client = ArmadaClient(open_channel(settings))
        with client, pytest.raises(errors.CredentialsError, match="cannot read the token file"):
            client.submit_health()
        with pytest.raises(errors.CredentialsError, match="cannot read the token file"):
            async with ArmadaAsyncIOClient(open_aio_channel(settings)) as aio_client:
                await aio_client.submit_health()

        assert server.received == []


@pytest.mark.parametrize(("asked", "server_ms", "log_ms"), [(30.0, 30_000, 300_000), (1.0, 10_000, 300_000)])
def test_pings_stay_within_what_each_component_tolerates(asked: float, server_ms: int, log_ms: int) -> None:
    settings = SiteSettings("a:1", keepalive_time=asked)

    to_server, to_logs = (dict(channel_options(settings, None, log_service)) for log_service in (False, True))

    assert (to_server["grpc.keepalive_time_ms"], to_server["grpc.keepalive_permit_without_calls"]) == (server_ms, 1)
    assert (to_logs["grpc.keepalive_time_ms"], to_logs["grpc.keepalive_permit_without_calls"]) == (log_ms, 0)


def test_pings_can_be_turned_off() -> None:
    assert "grpc.keepalive_time_ms" not in dict(channel_options(SiteSettings("a:1", keepalive_time=0.0), None, False))
