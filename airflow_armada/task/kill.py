"""Whether the task was killed: one object for each segment, which everything that waits looks at."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue


class Kill:
    """
    Says that the task was killed, from the moment in which Airflow's signal handler does.

    A handler interrupts the main thread anywhere, also in the middle of waiting for this, so that it may take no lock
    that is held there: ``threading.Event`` would, a ``SimpleQueue`` does not.

    :ivar came: whether the task was killed.
    :ivar react: called by :meth:`tell`, in the signal handler.
    """

    def __init__(self) -> None:
        self.came = False
        self.react: Callable[[], None] | None = None
        self._told: SimpleQueue[None] = SimpleQueue()

    def __reduce__(self) -> tuple[type[Kill], tuple[()]]:
        """Let a copy of a task begin with a kill of its own."""
        return Kill, ()

    def tell(self) -> None:
        """Note that the task was killed."""
        self.came = True
        self._told.put(None)
        if self.react is not None:
            self.react()

    def wait(self, seconds: float) -> bool:
        """
        Wait, but no longer than until the task is killed.

        :param seconds: how long.
        :return: whether it was.
        """
        if not self.came:
            with suppress(Empty):
                self._told.get(timeout=max(0.0, seconds))
        return self.came
