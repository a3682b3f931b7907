"""Credentials make a header, follow what changes, and never show what they hold."""

from __future__ import annotations

import base64
import copy
import json
import logging
import os
import pickle
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from airflow_armada.client.auth.credentials import Anonymous, Basic, BearerToken, Credentials, TokenFile, TokenVariable
from airflow_armada.client.auth.kubernetes_native import KubernetesNative
from airflow_armada.client.auth.oidc import OidcClient, OidcClientCredentials
from airflow_armada.client.auth.renewing import TokenSource
from airflow_armada.client.auth.token_command import TokenCommand
from airflow_armada.client.auth.tokens import Token
from airflow_armada.client.failure import CredentialsError
from tests.support.components import wait_until

SECRET = "canary-3f9a"


def jwt(expires_in: float, **claims: object) -> str:
    body = json.dumps({"exp": time.time() + expires_in, **claims}).encode()
    return ".".join(["e30", base64.urlsafe_b64encode(body).rstrip(b"=").decode(), "c2ln"])


def program(tmp_path: Path, code: str) -> tuple[str, tuple[str, ...]]:
    script = tmp_path / "helper.py"
    script.write_text(code)
    return sys.executable, (str(script),)


def counting_program(tmp_path: Path, token: str) -> tuple[str, tuple[str, ...]]:
    """A program that prints a token and leaves one mark a run in the file ``runs``."""
    runs = tmp_path / "runs"
    runs.touch()
    return program(tmp_path, f"open({str(runs)!r}, 'a').write('x'); print({token!r})")


def runs(tmp_path: Path) -> int:
    return len((tmp_path / "runs").read_text())


def test_no_credentials_make_no_header() -> None:
    assert Anonymous().authorization() == ""


def test_basic_credentials_make_a_basic_header_that_always_holds_a_colon() -> None:
    scheme, _, content = Basic("user", "pass:wörd").authorization().partition(" ")

    assert (scheme, base64.b64decode(content).decode()) == ("Basic", "user:pass:wörd")
    assert base64.b64decode(Basic("user", "").authorization()[6:]) == b"user:"


@pytest.mark.parametrize("username", ["", "a:b"])
def test_a_user_name_that_cannot_be_sent_is_refused(username: str) -> None:
    with pytest.raises(CredentialsError, match="user name"):
        Basic(username, "x")


@pytest.mark.parametrize("token", ["abc", " abc\n", "Bearer abc", "bearer  abc "])
def test_a_token_is_taken_with_or_without_its_scheme(token: str) -> None:
    assert BearerToken(token).authorization() == "Bearer abc"


@pytest.mark.parametrize("token", ["", "  ", "Bearer ", f"{SECRET} b", f"{SECRET}\nx", f"{SECRET}\x00", f"{SECRET}é"])
def test_a_token_that_cannot_be_sent_is_refused_without_showing_it(token: str) -> None:
    with pytest.raises(CredentialsError) as caught:
        BearerToken(token)

    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "credentials",
    [
        Basic("user", SECRET),
        BearerToken(SECRET),
        TokenCommand("helper", (f"--password={SECRET}",), (("KEY", SECRET),)),
    ],
)
def test_secrets_are_not_shown_and_equal_credentials_hash_alike(credentials: Credentials) -> None:
    assert SECRET not in repr(credentials)
    assert len({credentials, credentials}) == 1


def test_a_pasted_token_announces_its_end_once(caplog: pytest.LogCaptureFixture) -> None:
    credentials = BearerToken(jwt(expires_in=300, name=SECRET))

    with caplog.at_level(logging.WARNING):
        headers = {credentials.authorization() for _ in range(5)}

    assert len(headers) == 1
    assert [record.getMessage().partition(" at ")[0] for record in caplog.records] == ["The bearer token will expire"]
    assert credentials.token not in caplog.text


def test_a_pasted_token_with_time_left_announces_nothing(caplog: pytest.LogCaptureFixture) -> None:
    BearerToken(jwt(expires_in=3000)).authorization()

    assert caplog.text == ""


def test_a_token_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("first\n")
    credentials = TokenFile(str(path))
    header = credentials.authorization()
    path.write_text("second\n")

    assert (header, credentials.authorization()) == ("Bearer first", "Bearer second")


def test_a_refused_token_file_is_worth_another_try_only_when_it_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("first")
    credentials = TokenFile(str(path))

    assert not credentials.refused("Bearer first")
    path.write_text("second")
    assert credentials.refused("Bearer first")


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe\x00junk", b"two words"])
def test_an_unusable_token_file_is_named_in_one_line(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(CredentialsError) as caught:
        TokenFile(str(path)).authorization()

    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_token_variable_is_read_for_every_call(monkeypatch: pytest.MonkeyPatch) -> None:
    credentials = TokenVariable("ARMADA_TEST_TOKEN")
    monkeypatch.setenv("ARMADA_TEST_TOKEN", "one")
    first = credentials.authorization()
    monkeypatch.setenv("ARMADA_TEST_TOKEN", "two")

    assert (first, credentials.authorization()) == ("Bearer one", "Bearer two")
    assert credentials.refused("Bearer one")


def test_a_token_variable_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ARMADA_TEST_TOKEN", raising=False)

    with pytest.raises(CredentialsError, match="ARMADA_TEST_TOKEN is empty"):
        TokenVariable("ARMADA_TEST_TOKEN").authorization()


def test_a_command_is_run_once_while_its_jwt_lasts(tmp_path: Path) -> None:
    token = jwt(expires_in=3600)
    credentials = TokenCommand(*counting_program(tmp_path, token))

    headers = {credentials.authorization() for _ in range(3)}

    assert headers == {f"Bearer {token}"}
    assert runs(tmp_path) == 1


def test_a_command_is_run_again_when_its_jwt_has_expired(tmp_path: Path) -> None:
    credentials = TokenCommand(*counting_program(tmp_path, jwt(expires_in=-1)))

    credentials.authorization()
    credentials.authorization()

    assert runs(tmp_path) == 2


def test_a_command_is_run_again_when_the_server_refused_its_token(tmp_path: Path) -> None:
    credentials = TokenCommand(*counting_program(tmp_path, "opaque"))
    header = credentials.authorization()

    assert credentials.refused(header)
    assert credentials.authorization() == header
    assert runs(tmp_path) == 2


def test_refusing_a_token_that_was_replaced_meanwhile_keeps_the_new_one(tmp_path: Path) -> None:
    credentials = TokenCommand(*counting_program(tmp_path, "new"))
    credentials.authorization()

    assert credentials.refused("Bearer old")
    credentials.authorization()
    assert runs(tmp_path) == 1


def test_a_command_gets_its_environment_and_no_standard_input(tmp_path: Path) -> None:
    code = "import os, sys; print(os.environ['KEY'] + sys.stdin.read() + os.environ['PATH'][:0])"
    credentials = TokenCommand(*program(tmp_path, code), environment=(("KEY", "value"),))

    assert credentials.authorization() == "Bearer value"


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("print()", "is empty"),
        (f"print('{SECRET} with spaces')", "characters that no token has"),
        (f"print('{SECRET}'); raise SystemExit(3)", "exit code 3"),
        ("import sys; sys.stdout.buffer.write(bytes(range(256)))", "characters that no token has"),
    ],
)
def test_a_command_that_gives_no_token_is_explained_without_its_output(
    tmp_path: Path, code: str, complaint: str
) -> None:
    with pytest.raises(CredentialsError, match=complaint) as caught:
        TokenCommand(*program(tmp_path, code)).authorization()

    assert SECRET not in str(caught.value)


def test_a_command_that_hangs_is_ended(tmp_path: Path) -> None:
    credentials = TokenCommand(*program(tmp_path, "import time; time.sleep(600)"), timeout=0.5)

    with pytest.raises(CredentialsError, match=r"no token within 0\.5 s"):
        credentials.authorization()


def test_what_a_command_says_on_standard_error_reaches_no_log(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code = f"import sys; print('{SECRET}', file=sys.stderr); print('token')"

    assert TokenCommand(*program(tmp_path, code)).authorization() == "Bearer token"
    assert SECRET not in "".join(capfd.readouterr())


@pytest.mark.parametrize("code", ["while True: print('x' * 65536)", "print('x' * (1 << 21))"])
def test_a_command_that_prints_without_end_is_ended(tmp_path: Path, code: str) -> None:
    with pytest.raises(CredentialsError, match="more than a token"):
        TokenCommand(*program(tmp_path, code)).authorization()


def test_a_command_that_drips_is_ended(tmp_path: Path) -> None:
    code = "import time\nwhile True: print('x', end='', flush=True); time.sleep(0.001)"

    with pytest.raises(CredentialsError, match="no token within"):
        TokenCommand(*program(tmp_path, code), timeout=0.5).authorization()


@pytest.mark.parametrize("end", ["time.sleep(600)", "print('token')"])
def test_no_child_of_a_command_outlives_it(tmp_path: Path, end: str) -> None:
    child = tmp_path / "child"
    code = (
        "import subprocess, sys, time\n"
        "one = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(child)!r}, 'w').write(str(one.pid))\n{end}"
    )
    with suppress(CredentialsError):
        TokenCommand(*program(tmp_path, code), timeout=3.0).authorization()

    wait_until(lambda: not alive(int(child.read_text())), "the end of the child")


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_command_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(CredentialsError, match="No such file or directory"):
        TokenCommand(str(tmp_path / "nothing")).authorization()


def test_a_failing_source_is_not_asked_again_at_once() -> None:
    source = TokenSource()
    asked = []

    def fetch() -> Token:
        asked.append(1)
        raise CredentialsError("away", transient=True)

    for _ in range(3):
        with pytest.raises(CredentialsError, match="away") as caught:
            source.current(fetch)
        assert caught.value.transient

    assert len(asked) == 1


def test_a_token_serves_until_its_end_while_its_source_fails() -> None:
    source, now = TokenSource(), time.time()
    # Due, because it is in the last fifth of its life, but not expired.
    source.current(lambda: Token("old", obtained_at=now - 95, expires_at=now + 5))

    def fail() -> Token:
        raise CredentialsError("away")

    assert source.current(fail) == "old"


def test_a_kubernetes_service_account_shows_its_mounted_token_and_the_ca(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SERVICE_ACCOUNT", raising=False)
    (tmp_path / "token").write_text("sa-token")
    (tmp_path / "ca.crt").write_text("the CA")

    scheme, _, content = KubernetesNative(directory=str(tmp_path)).authorization().partition(" ")

    body = json.loads(base64.urlsafe_b64decode(content + "=="))
    assert scheme == "KubernetesAuth"
    assert "=" not in content
    assert body["token"] == "sa-token"
    assert base64.urlsafe_b64decode(body["ca"] + "==") == b"the CA"


def test_outside_of_a_cluster_there_is_no_service_account(tmp_path: Path) -> None:
    with pytest.raises(CredentialsError, match="CA of the cluster"):
        KubernetesNative(directory=str(tmp_path)).authorization()


@pytest.mark.parametrize("path", ["/dev/zero", "{fifo}", "{folder}"])
def test_what_is_no_file_is_neither_read_nor_waited_for(tmp_path: Path, path: str) -> None:
    os.mkfifo(tmp_path / "fifo")

    with pytest.raises(CredentialsError, match="cannot read the token file"):
        TokenFile(path.format(fifo=tmp_path / "fifo", folder=tmp_path)).authorization()


def test_a_file_that_is_missing_for_a_moment_may_come_back(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("")
    for name in ("missing", "empty"):
        with pytest.raises(CredentialsError) as caught:
            TokenFile(str(tmp_path / name)).authorization()
        assert caught.value.transient


@pytest.mark.parametrize(
    "value",
    [
        Basic("ada", SECRET),
        Token(SECRET, SECRET),
        OidcClient("https://login.example", "machine", SECRET, parameters=(("assertion", SECRET),)),
        OidcClientCredentials(OidcClient("https://login.example", "machine", SECRET, parameters=(("p", SECRET),))),
    ],
)
def test_what_holds_secrets_is_neither_shown_nor_pickled_nor_stored(value: Any) -> None:
    assert SECRET not in repr(value)
    with pytest.raises(TypeError, match="may hold secrets"):
        pickle.dumps(value)
    with pytest.raises(TypeError, match="may hold secrets"):
        value.serialize()
    assert copy.deepcopy(value) is value
