"""How many log lines may be shown live, and whose turn it is.

All triggers of a triggerer share one log pipe, which takes about 800 lines a second and blocks the event loop when it
is full. What does not fit into the budget is not lost: the worker that finishes the task prints it.

Most jobs write little, and are shown at once. A job that has more to show than it may waits for a turn, in which it
shows many lines of one fetched page. So silent jobs take nothing from the others, and nothing is fetched in vain.
"""

from __future__ import annotations

import time
from itertools import chain, islice

SHORT_TAIL = 20
"""Lines that a job may always show when it has ended."""

TURN = 100
"""Lines that a job which waits shows at least when its turn comes."""


class TokenBucket:
    """Allows a number of lines a second on average.

    :param rate: lines a second
    :param burst: lines at once, after a pause
    """

    __slots__ = ("_burst", "_filled_at", "_tokens", "rate")

    def __init__(self, rate: float, burst: float) -> None:
        self.rate = rate
        self._burst = burst
        self._tokens = burst
        self._filled_at = time.monotonic()

    def available(self, now: float) -> float:
        """Return how many lines are allowed at a moment of the monotonic clock."""
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._filled_at) * self.rate)
        self._filled_at = max(now, self._filled_at)
        return self._tokens

    def take(self, count: float) -> None:
        """Use up some of what is available."""
        self._tokens -= count

    def take_one(self) -> bool:
        """Use up one if there is one now, and return whether there was."""
        if self.available(time.monotonic()) < 1:
            return False
        self.take(1)
        return True


class LogBudget:
    """The budget of a process. Share one object between all followers of the process.

    :param lines_per_second: for all jobs together
    :param burst: lines at once for all jobs together, after a pause
    :param job_lines_per_second: for one job while it runs
    :param job_burst: lines at once for one job, after a pause
    """

    def __init__(
        self,
        lines_per_second: float = 200,
        burst: float = 400,
        job_lines_per_second: float = 20,
        job_burst: float = 100,
    ) -> None:
        self._all = TokenBucket(lines_per_second, burst)
        self._job_rate = job_lines_per_second
        self._job_burst = job_burst
        # What jobs that wait leave to those with a line or two.
        self._reserve = min(TURN, burst / 4)
        self.turn = max(1, int(min(TURN, job_burst, burst / 2)))
        self._waiting: dict[JobBudget, None] = {}
        self._ended: dict[JobBudget, None] = {}

    def open_job(self) -> JobBudget:
        """Give a job its share; it is given back with :meth:`JobBudget.close`."""
        return JobBudget(self, TokenBucket(self._job_rate, self._job_burst))

    def available(self, now: float) -> int:
        """Return how many lines a job that does not wait may show."""
        return max(0, int(self._all.available(now)))

    def granted(self, job: JobBudget, now: float, *, ended: bool) -> int:
        """Return how many lines a job that waits may show: none before its turn.

        Turns come in the order of asking, first to the jobs that have ended: their pods are deleted in minutes.
        """
        (self._ended if ended else self._waiting).setdefault(job)
        room = self._all.available(now) - self._reserve
        turns = int(room / self.turn)
        if turns < 1 or job not in islice(chain(self._ended, self._waiting), turns):
            return 0
        return max(self.turn, int(room / (len(self._ended) + len(self._waiting))))

    def take(self, job: JobBudget, count: int) -> None:
        """Use up some of what is available; whoever waits on does so behind all others."""
        self._all.take(count)
        if count:
            self.leave(job)

    def leave(self, job: JobBudget) -> None:
        """Let a job wait no longer."""
        self._waiting.pop(job, None)
        self._ended.pop(job, None)


class JobBudget:
    """One job's share of a :class:`LogBudget`."""

    __slots__ = ("_all", "_ended", "_own", "_tail", "waits")

    def __init__(self, budget: LogBudget, own: TokenBucket) -> None:
        self._all = budget
        self._own = own
        self._ended = False
        self._tail = 0
        self.waits = False

    def available(self, now: float | None = None) -> int:
        """Return how many lines may be shown now; a job for which it is 0 need not look for any.

        :param now: a moment of the monotonic clock; the present one by default
        """
        now = time.monotonic() if now is None else now
        own = float("inf") if self._ended else self._own.available(now)
        if not self.waits:
            room = min(own, self._all.available(now))
        elif own >= self._all.turn:
            room = min(own, self._all.granted(self, now, ended=self._ended))
        else:
            room = 0
        return max(int(room), self._tail)

    def take(self, count: int) -> None:
        """Use up some of what is available."""
        self._own.take(count)
        self._tail = max(0, self._tail - count)
        self._all.take(self, count)

    def wait(self) -> None:
        """Say that there are more lines than may be shown."""
        self.waits = True

    def caught_up(self) -> None:
        """Say that all lines there are have been shown."""
        self.waits = False
        self._all.leave(self)

    def end(self) -> None:
        """Say that the job has ended: its rest is limited by what there is for all, and a short one not at all."""
        self._ended = True
        self._tail = SHORT_TAIL
        self._all.leave(self)

    def close(self) -> None:
        """Give the share back; a second time does nothing."""
        self._all.leave(self)
