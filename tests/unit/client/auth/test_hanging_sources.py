"""A source of tokens that hangs: a good token serves on, one fetch runs in the background, nobody else waits."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from airflow_armada.client.auth import own_thread, token_cache
from airflow_armada.client.auth.credentials import Credentials, TokenFile
from airflow_armada.client.auth.interceptors import _authorization
from airflow_armada.client.auth.oidc import OidcClient, OidcClientCredentials, OidcLogin, cache_key
from airflow_armada.client.auth.renewing import RenewedCredentials, TokenSource, tell_fetched_tokens
from airflow_armada.client.auth.token_cache import TokenCache, TokenCacheError
from airflow_armada.client.auth.tokens import Token
from airflow_armada.client.failure import CredentialsError


@dataclass(eq=False)
class Provider:
    """Gives tokens, or hangs until it is let go."""

    fetches: int = 0
    hangs: bool = False
    threads: set[int] = field(default_factory=set)
    let_go: threading.Event = field(default_factory=threading.Event)

    def fetch(self) -> Token:
        self.fetches += 1
        self.threads.add(threading.get_ident())
        if self.hangs:
            self.let_go.wait(60)
        now = time.time()
        return Token(f"token-{self.fetches}", obtained_at=now, expires_at=now + 3600)


@dataclass(frozen=True)
class Fetched(RenewedCredentials):
    """Credentials that ask a provider."""

    provider: Provider
    longest: float = 0.2

    def fetch(self) -> Token:
        return self.provider.fetch()

    def longest_fetch(self) -> float:
        return self.longest


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider()
    yield made
    made.let_go.set()


def token(name: str, left: float) -> Token:
    """Return a token that is due for renewal, as its life of 100 s ends in a moment."""
    now = time.time()
    return Token(name, obtained_at=now - 100 + left, expires_at=now + left)


def test_a_good_token_serves_on_while_its_source_hangs(provider: Provider) -> None:
    source = TokenSource()
    source.current(lambda: token("old", 15))
    provider.hangs = True

    assert [source.current(provider.fetch) for _ in range(100)] == ["old"] * 100
    assert provider.fetches == 1


def test_the_token_that_came_in_the_background_is_used(provider: Provider) -> None:
    source = TokenSource()
    source.current(lambda: token("old", 15))
    provider.hangs = True
    source.current(provider.fetch)
    provider.let_go.set()

    while source.current(provider.fetch) == "old":
        time.sleep(0.001)

    assert source.current(provider.fetch) == "token-1"
    assert provider.fetches == 1


def test_whoever_has_no_token_waits_for_a_bounded_time_and_is_told_that_it_may_pass(provider: Provider) -> None:
    provider.hangs = True
    credentials = Fetched(provider)

    for _ in range(5):
        with pytest.raises(CredentialsError, match=r"no credentials came within 0\.2 s") as caught:
            credentials.authorization()
        assert caught.value.transient

    assert provider.fetches == 1
    provider.let_go.set()
    while True:
        try:
            assert credentials.authorization() == "Bearer token-1"
            break
        except CredentialsError:
            time.sleep(0.001)


async def test_a_hundred_calls_of_asyncio_code_take_one_thread_of_their_own(provider: Provider) -> None:
    provider.hangs = True
    credentials = Fetched(provider)
    calls = [asyncio.create_task(_authorization(credentials)) for _ in range(100)]
    await asyncio.sleep(0)

    # The loop's own threads are free meanwhile: so many that hang would fill its executor.
    assert await asyncio.gather(*(asyncio.to_thread(threading.get_ident) for _ in range(10)))
    provider.let_go.set()
    assert set(await asyncio.gather(*calls)) == {"Bearer token-1"}
    assert provider.fetches == 1
    assert threading.get_ident() not in provider.threads


async def test_a_token_that_is_at_hand_takes_no_thread_at_all(provider: Provider) -> None:
    credentials = Fetched(provider)
    await _authorization(credentials)
    before = provider.threads.copy()

    assert await _authorization(credentials) == "Bearer token-1"
    assert provider.threads == before


async def test_other_credentials_do_not_wait(provider: Provider) -> None:
    provider.hangs = True
    stuck = [asyncio.create_task(_authorization(Fetched(provider, 30.0 + n))) for n in range(20)]
    await asyncio.sleep(0)

    assert await _authorization(Fetched(Provider())) == "Bearer token-1"
    assert not any(task.done() for task in stuck)
    for task in stuck:
        task.cancel()
    await asyncio.gather(*stuck, return_exceptions=True)


async def test_a_file_that_cannot_be_read_to_its_end_is_waited_for_in_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = threading.Event()
    monkeypatch.setattr(TokenFile, "authorization", lambda self: str(gone.wait(60)))
    monkeypatch.setattr(Credentials, "longest_fetch", lambda self: -0.9)

    with pytest.raises(CredentialsError, match="no credentials came within"):
        await _authorization(TokenFile("/on/a/share/that/is/away"))
    gone.set()


def test_an_error_that_nobody_expected_is_told_without_its_text() -> None:
    def fail() -> Token:
        raise RuntimeError("CANARY")

    with pytest.raises(CredentialsError, match="RuntimeError") as caught:
        TokenSource().current(fail)

    assert "CANARY" not in str(caught.value)


def test_without_a_thread_to_be_had_it_is_tried_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    source = TokenSource()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", none_left)
        with pytest.raises(CredentialsError, match="no thread left") as caught:
            source.current(lambda: token("t", 50))

    assert caught.value.transient
    monkeypatch.setattr("airflow_armada.client.auth.renewing.PAUSE_AFTER_FAILURE", 0.0)
    assert source.current(lambda: token("t", 50)) == "t"


def test_a_child_of_a_fork_does_not_wait_for_what_its_parent_was_fetching(provider: Provider) -> None:
    provider.hangs = True
    credentials = Fetched(provider, 30.0)
    waiting = threading.Thread(target=credentials.authorization)
    waiting.start()
    while not provider.fetches:
        time.sleep(0.001)

    child = os.fork()
    if not child:
        provider.hangs = False
        os._exit(credentials.authorization() != "Bearer token-2")
    assert os.waitpid(child, 0)[1] == 0
    provider.let_go.set()
    waiting.join()


def test_each_token_is_told_before_it_is_used() -> None:
    told: list[str] = []
    tell_fetched_tokens(told.append)

    TokenSource().current(lambda: token("told", 50))

    assert "told" in told


def test_the_lock_of_a_stopped_process_is_waited_for_in_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_cache, "LONGEST_WAIT", 0.3)
    cache = TokenCache(str(tmp_path / "tokens.json"))
    hold = "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX); print(flush=True); input()"
    command = [sys.executable, "-c", hold, f"{cache.file}.lock"]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        holder.send_signal(signal.SIGSTOP)

        with pytest.raises(TokenCacheError, match="another process has held the lock") as caught, cache.locked():
            raise AssertionError

        assert caught.value.transient
    finally:
        holder.kill()
        holder.communicate()
    with cache.locked():
        pass


def test_a_lock_is_released_to_the_next_process_at_once(tmp_path: Path) -> None:
    cache = TokenCache(str(tmp_path / "tokens.json"))

    with cache.locked():
        descriptor = os.open(f"{cache.file}.lock", os.O_RDWR)
        with pytest.raises(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(descriptor)


def test_nothing_stays_of_what_has_ended() -> None:
    done = own_thread.start("key", lambda: 7)

    assert done.result(10) == 7
    assert "key" not in own_thread._running


def test_that_a_stream_was_refused_is_noted_without_waiting_for_the_cache(tmp_path: Path) -> None:
    cache = TokenCache(str(tmp_path / "tokens.json"))
    login = OidcLogin(OidcClient("https://login.example", "person"), cache)
    now = time.time()
    with cache.locked():
        cache.write(cache_key(login.client), Token("old", obtained_at=now, expires_at=now + 3600))
    assert login.authorization() == "Bearer old"

    with cache.locked():
        login.note_refused("Bearer old")

    with pytest.raises(CredentialsError, match="was refused: run `airflow-armada login` again"):
        login.authorization()


def test_a_ca_file_that_is_missing_for_a_moment_may_come_back(tmp_path: Path) -> None:
    client = OidcClient("https://login.example", "machine", "secret", ca_file=str(tmp_path / "ca.pem"))

    with pytest.raises(CredentialsError, match="is not there") as caught:
        OidcClientCredentials(client).authorization()

    assert caught.value.transient
