"""Who may call an embedded Armada: those who know its token, which its own user's clients find by themselves."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import grpc
import pytest

from airflow_armada.api import methods
from airflow_armada.api.loopback_token import TokenFile, read_token, token_file
from airflow_armada.client.channel import open_aio_channel, open_channel
from airflow_armada.client.client import ArmadaClient
from airflow_armada.client.settings import SiteSettings
from airflow_armada.client.site.diagnose import diagnose
from airflow_armada.standalone.auth import Credentials
from airflow_armada.standalone.server import StandaloneArmada
from tests.integration.standalone.api import Armada

COMMAND = [sys.executable, "-m", "airflow_armada.standalone", "--port", "0"]
SERVING = 1


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state directory of the test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def server(state: Path) -> Iterator[StandaloneArmada]:
    with StandaloneArmada() as running:
        yield running


def health(target: str) -> int:
    """Call a server as the clients of this package do that have no credentials."""
    with ArmadaClient(open_channel(SiteSettings(target=target, tls=None)), retry_timeout=0) as client:
        return client.submit_health().status


def test_whoever_does_not_know_the_token_is_refused(server: StandaloneArmada) -> None:
    for metadata in ([], [("authorization", "Bearer guessed")], [("authorization", "Bearer ")]):
        assert Armada(server.target, metadata).refused(methods.Submit.HEALTH)[0] == grpc.StatusCode.UNAUTHENTICATED


def test_clients_of_the_same_user_find_the_token(server: StandaloneArmada) -> None:
    assert health(server.target) == SERVING
    assert health(f"localhost:{server.port}") == SERVING
    assert "token" not in json.loads(server.connection())["extra"]


def test_the_diagnosis_says_by_what_it_got_in(server: StandaloneArmada) -> None:
    found = diagnose(SiteSettings(target=server.target, tls=None))

    assert "token that the embedded Armada has left for this user" in str(found.findings)


async def test_so_do_asyncio_clients(server: StandaloneArmada) -> None:
    async with open_aio_channel(SiteSettings(target=server.target, tls=None)) as channel:
        assert (await methods.Submit.HEALTH.bind(channel)(methods.Submit.HEALTH.request())).status == SERVING


def test_nobody_else_can_read_it_and_it_goes_with_the_server(server: StandaloneArmada) -> None:
    path = token_file(server.port)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text().strip() == server.token
    server.stop()
    assert not path.exists()


def test_a_client_goes_on_when_the_server_has_started_again_with_another_token(server: StandaloneArmada) -> None:
    with ArmadaClient(open_channel(SiteSettings(target=server.target, tls=None))) as client:
        assert client.submit_health().status == SERVING
        server.stop()
        with StandaloneArmada(server.port):
            assert client.submit_health().status == SERVING


def test_a_file_that_others_could_have_written_is_not_believed(server: StandaloneArmada, tmp_path: Path) -> None:
    path = token_file(server.port)
    path.chmod(0o644)
    assert read_token(server.port) == ""

    real = tmp_path / "elsewhere"
    real.write_text("token")
    real.chmod(0o600)
    path.unlink()
    path.symlink_to(real)
    assert read_token(server.port) == ""


def test_the_files_of_killed_servers_go_when_the_next_one_starts(state: Path) -> None:
    killed = subprocess.Popen(COMMAND, stdout=subprocess.PIPE, text=True)
    assert killed.stdout is not None
    killed.stdout.readline()
    with killed, StandaloneArmada() as living:
        (left,) = (path for path in living_files() if path != token_file(living.port))
        killed.kill()
        killed.wait(20)
        with closing(TokenFile(1, "another")):
            assert not left.exists()
            assert token_file(living.port).exists()


def living_files() -> list[Path]:
    return list(token_file(0).parent.iterdir())


def test_the_token_can_be_left_for_a_port_that_is_forwarded(server: StandaloneArmada) -> None:
    server.leave_token(1)

    assert read_token(1) == server.token
    server.stop()
    assert read_token(1) == ""


def test_other_addresses_get_no_token(server: StandaloneArmada) -> None:
    elsewhere = SiteSettings(target=f"127.0.0.2:{server.port}", tls=None)
    with open_channel(elsewhere) as channel, pytest.raises(grpc.RpcError) as refused:
        methods.Submit.HEALTH.bind(channel)(methods.Submit.HEALTH.request(), timeout=20)
    assert refused.value.code() in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.UNAVAILABLE)


def test_everybody_gets_in_if_that_is_wanted_and_it_is_said_loudly() -> None:
    with subprocess.Popen(
        [*COMMAND, "--anonymous"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        target = process.stdout.readline().split()[-1]

        assert Armada(target, []).call(methods.Submit.HEALTH).status == SERVING
        assert process.stderr.readline().startswith("WARNING: every user of this machine can run commands as ")
        process.terminate()


def test_anonymous_credentials_do_the_same_in_a_program() -> None:
    with StandaloneArmada(credentials=Credentials(anonymous=True)) as server:
        assert server.token == ""
        assert server.metadata == []
        assert Armada(server.target, []).call(methods.Submit.HEALTH).status == SERVING


@pytest.mark.parametrize(
    ("option", "content", "problem"),
    [
        ("--token-file", "", "must hold one token"),
        ("--token-file", " \n", "must hold one token"),
        ("--token-file", "two tokens", "must hold one token"),
        ("--basic-file", "\n", "holds no user:password"),
        ("--basic-file", "ada:x\nbob", "line 2 of"),
        ("--basic-file", "ada:", "line 1 of"),
    ],
)
def test_a_file_that_would_let_in_whoever_shows_nothing_is_refused(
    tmp_path: Path, option: str, content: str, problem: str
) -> None:
    (tmp_path / "file").write_text(content)
    result = subprocess.run(
        [*COMMAND, option, str(tmp_path / "file")], capture_output=True, text=True, timeout=60, check=False
    )

    assert result.returncode == 1
    assert result.stderr.startswith("armada-standalone: ")
    assert problem in result.stderr
    assert "Traceback" not in result.stderr


def test_a_state_directory_that_cannot_be_written_is_one_clear_line(state: Path) -> None:
    state.write_text("not a folder")
    result = subprocess.run(COMMAND, capture_output=True, text=True, timeout=60, check=False)

    assert result.returncode == 1
    assert "cannot leave the token for this user's clients" in result.stderr
    assert "Traceback" not in result.stderr
