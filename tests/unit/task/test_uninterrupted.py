"""What Airflow's alarm must not interrupt goes on to its end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from airflow_armada._compat import AirflowTaskTimeout
from airflow_armada.task.uninterrupted import to_the_end

pytestmark = pytest.mark.timeout(60, method="thread")


@pytest.fixture
def rung() -> Iterator[threading.Event]:
    """An alarm that rings in a moment, as ``execution_timeout`` does."""
    rung = threading.Event()

    def ring(*_: object) -> None:
        rung.set()
        raise AirflowTaskTimeout("the time is up")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    yield rung
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_the_work_is_done_before_the_alarm_goes_on(rung: threading.Event) -> None:
    done = []

    with pytest.raises(AirflowTaskTimeout):
        to_the_end(lambda: done.append(rung.wait(30)), "work")

    assert done == [True]


def test_without_an_alarm_it_gives_what_the_work_gives() -> None:
    assert to_the_end(lambda: 3, "work") == 3


def test_the_works_own_error_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        to_the_end(lambda: 1 // 0, "work")
