"""Whether the task was killed."""

from __future__ import annotations

import copy
import os
import pickle
import signal
import threading
from collections.abc import Iterator

import pytest

from airflow_armada.task.kill import Kill


@pytest.fixture
def kill() -> Iterator[Kill]:
    """One that a signal tells of, as on a worker."""
    kill = Kill()
    before = signal.signal(signal.SIGUSR1, lambda *_: kill.tell())
    yield kill
    signal.signal(signal.SIGUSR1, before)


def test_waiting_ends_when_the_task_is_killed(kill: Kill) -> None:
    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGUSR1)).start()

    assert kill.wait(60)


def test_without_a_kill_it_ends_with_the_time(kill: Kill) -> None:
    assert not kill.wait(0.01)


def test_whoever_comes_late_does_not_wait_at_all(kill: Kill) -> None:
    kill.tell()

    assert kill.wait(60)
    assert kill.wait(60)


def test_what_has_to_react_does_so_within_the_handler(kill: Kill) -> None:
    told: list[bool] = []
    kill.react = lambda: told.append(kill.came)

    os.kill(os.getpid(), signal.SIGUSR1)

    assert told == [True]


def test_a_copy_of_a_task_begins_with_a_kill_of_its_own(kill: Kill) -> None:
    kill.tell()

    assert not copy.deepcopy(kill).came
    assert not pickle.loads(pickle.dumps(kill)).came
