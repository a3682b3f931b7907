"""Work that Airflow's alarm must not interrupt: it runs beside the main thread, in which the alarm is raised."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from airflow_armada._compat import AirflowTaskTimeout

T = TypeVar("T")


def begin(work: Callable[[], T], name: str) -> Future[T]:
    """
    Run something in a thread of its own, which ends with the process.

    :param work: what to run.
    :param name: of the thread.
    :return: what becomes of it.
    """
    future: Future[T] = Future()
    context = contextvars.copy_context()

    def run() -> None:
        try:
            future.set_result(context.run(work))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future


def to_the_end(work: Callable[[], T], name: str) -> T:
    """
    Run something to its end, although ``execution_timeout`` passes meanwhile.

    :param work: what to run; it must be bounded.
    :param name: of its thread.
    :return: what it gives.
    :raises AirflowTaskTimeout: after the end, when the time passed.
    """
    future = begin(work, name)
    alarm: AirflowTaskTimeout | None = None
    while True:
        try:
            result = future.result()
            break
        except AirflowTaskTimeout as error:
            alarm = error
    if alarm is not None:
        raise alarm
    return result
