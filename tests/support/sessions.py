"""How a test session that runs other programs ends."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from types import FrameType

import pytest


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@pytest.fixture(scope="session", autouse=True)
def stop_everything_on_sigterm() -> Iterator[None]:
    """Let a session that is told to end take its processes with it."""
    before = signal.signal(signal.SIGTERM, _interrupt)
    yield
    signal.signal(signal.SIGTERM, before)
