"""How long trouble is waited out, under a clock that only the test moves."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_armada.client.errors import ArmadaRpcError, CredentialsError, SettingsError, classify
from airflow_armada.client.patience import Kind, Patience, Trouble, kind_of, retry, retry_async

Code = grpc.StatusCode
PATIENCE = Patience(outage=600.0, error=60.0, first=0.5, most=10.0)


class Away(Exception):
    """Stands for an outage."""


class Hiccup(Exception):
    """Stands for an error that may pass."""


def kind(error: BaseException) -> Kind:
    kinds: dict[type[BaseException], Kind] = {Away: Kind.OUTAGE, Hiccup: Kind.ERROR}
    return kinds.get(type(error), Kind.FINAL)


class Clock:
    """A clock that goes on only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    async def sleep_async(self, seconds: float) -> None:
        self.sleep(seconds)

    def __call__(self) -> float:
        return self.now


def rpc_error(code: grpc.StatusCode, text: str = "", method: str = "SubmitJobs") -> ArmadaRpcError:
    return classify(code, text)(code, text, method)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (rpc_error(Code.UNAVAILABLE), Kind.OUTAGE),
        (rpc_error(Code.RESOURCE_EXHAUSTED, "busy"), Kind.OUTAGE),
        (rpc_error(Code.DEADLINE_EXCEEDED), Kind.OUTAGE),
        (CredentialsError("the token server is away", transient=True), Kind.OUTAGE),
        (rpc_error(Code.UNAUTHENTICATED), Kind.ERROR),
        (rpc_error(Code.INTERNAL, "Internal server error caused by a bug"), Kind.ERROR),
        (rpc_error(Code.UNKNOWN, "Stream removed"), Kind.ERROR),
        (rpc_error(Code.UNKNOWN, "connection to the database refused", "GetJobStatus"), Kind.ERROR),
        (rpc_error(Code.UNKNOWN, "connection to the database refused", "GetQueue"), Kind.ERROR),
        (rpc_error(Code.UNKNOWN, "no such thing", "CancelJobs"), Kind.FINAL),
        (rpc_error(Code.UNKNOWN, "request contained more than 500 jobIds", "GetJobStatus"), Kind.FINAL),
        (rpc_error(Code.PERMISSION_DENIED), Kind.FINAL),
        (rpc_error(Code.RESOURCE_EXHAUSTED, "Decompressed message larger than max"), Kind.FINAL),
        (rpc_error(Code.INTERNAL, "grpc: error unmarshalling request: quantities must match"), Kind.FINAL),
        (CredentialsError("no such file"), Kind.FINAL),
        (SettingsError("no host"), Kind.FINAL),
        (RuntimeError("a mistake of ours"), Kind.FINAL),
    ],
)
def test_errors_are_told_apart_by_what_they_mean_for_the_next_attempt(error: Exception, expected: Kind) -> None:
    assert kind_of(error) is expected


def failing(errors: list[Exception]) -> Callable[[], str]:
    """Return an attempt that fails so, and then succeeds."""

    def attempt() -> str:
        if errors:
            raise errors.pop(0)
        return "done"

    return attempt


def run(errors: list[Exception], clock: Clock, patience: Patience = PATIENCE, **options: Any) -> str:
    return retry(failing(errors), patience, kind=kind, sleep=clock.sleep, clock=clock, **options)


def run_async(errors: list[Exception], clock: Clock, patience: Patience = PATIENCE, **options: Any) -> str:
    attempt = failing(errors)

    async def attempt_async() -> str:
        return attempt()

    return asyncio.run(retry_async(attempt_async, patience, kind=kind, sleep=clock.sleep_async, clock=clock, **options))


both = pytest.mark.parametrize("drive", [run, run_async])


@both
def test_what_passes_is_waited_out_and_told(drive: Callable[..., str]) -> None:
    clock, told = Clock(), []

    assert drive([Away(), Hiccup(), Away()], clock, told=lambda error, pause: told.append(type(error))) == "done"
    assert told == [Away, Hiccup, Away]
    assert len(clock.slept) == 3


@both
@pytest.mark.parametrize(("error", "grace"), [(Away, 600.0), (Hiccup, 60.0)])
def test_what_does_not_pass_is_raised_when_its_grace_is_over(
    drive: Callable[..., str], error: type[Exception], grace: float
) -> None:
    clock = Clock()

    with pytest.raises(error):
        drive([error() for _ in range(10_000)], clock)
    assert clock.now == pytest.approx(1000.0 + grace)


@both
def test_what_is_final_is_raised_at_once(drive: Callable[..., str]) -> None:
    clock = Clock()

    with pytest.raises(ValueError, match="no"):
        drive([ValueError("no")], clock)
    assert clock.slept == []


def test_a_pause_that_is_stopped_ends_with_the_last_error() -> None:
    stop = threading.Event()
    stop.set()

    with pytest.raises(Away):
        retry(failing([Away()]), PATIENCE, kind=kind, sleep=stop.wait)


def test_what_a_pause_raises_goes_through() -> None:
    def killed(seconds: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        retry(failing([Away()]), PATIENCE, kind=kind, sleep=killed)


def test_a_cancelled_task_is_cancelled_and_not_tried_again() -> None:
    async def scenario() -> None:
        attempts = 0

        async def attempt() -> None:
            nonlocal attempts
            attempts += 1
            raise asyncio.CancelledError

        with pytest.raises(asyncio.CancelledError):
            await retry_async(attempt, PATIENCE)
        assert attempts == 1

    asyncio.run(scenario())


def test_the_clock_of_errors_starts_again_after_an_outage_but_not_that_of_the_outage() -> None:
    trouble = Trouble(PATIENCE, kind)

    assert trouble.pause_after(Hiccup(), 0.0) is not None
    assert trouble.pause_after(Away(), 59.0) is not None
    assert trouble.pause_after(Hiccup(), 100.0) is not None
    assert trouble.pause_after(Hiccup(), 161.0) is None
    assert trouble.pause_after(Away(), 599.0) is not None
    assert trouble.pause_after(Away(), 600.0) is None


def test_a_bound_may_count_from_the_first_attempt() -> None:
    trouble = Trouble(Patience(outage=30.0, error=30.0), kind, since=0.0)

    assert trouble.pause_after(Hiccup(), 29.0) is not None
    assert trouble.pause_after(Hiccup(), 30.0) is None


STEPS = st.lists(st.tuples(st.integers(0, 300), st.sampled_from([Away(), Hiccup(), None])), min_size=1, max_size=40)
"""Attempts: the seconds since the one before, and how each failed; None for one that did not."""


@given(STEPS, st.integers(0, 1000), st.integers(0, 1000))
def test_pauses_are_bounded_and_the_end_comes_exactly_when_patience_does(
    steps: list[tuple[int, Exception | None]], outage: int, error_grace: int
) -> None:
    patience = Patience(outage, error_grace, first=0.5, most=8.0)
    trouble, now, since, failures = Trouble(patience, kind), 0.0, None, 0
    for passed, error in steps:
        now += passed
        if error is None:
            trouble.over()
            since, failures = None, 0
            continue
        since = now if since is None else since
        pause = trouble.pause_after(error, now)
        if pause is None:
            assert now - since >= min(outage, error_grace)
            return
        assert now - since < max(outage, error_grace)
        assert 0.0 <= pause <= min(8.0, 0.5 * 2.0 ** min(failures, 10))
        failures += 1


@given(st.integers(0, 1000))
def test_pauses_grow_with_jitter_up_to_a_limit(failures: int) -> None:
    ceiling = min(4.0, 0.5 * 2.0 ** min(failures, 10))

    assert ceiling / 2 <= Patience(first=0.5, most=4.0).pause(failures) <= ceiling
