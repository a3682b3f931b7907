"""How many log lines may be shown live.

All triggers of a triggerer share one log pipe, which takes about 800 lines a second and blocks the event loop when it
is full. What does not fit into the budget is not lost: the worker that finishes the task prints it.
"""

from __future__ import annotations

import time


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


class LogBudget:
    """The budget of a process. Share one object between all followers of the process.

    :param lines_per_second: for all jobs together
    :param burst: lines at once for all jobs together, after a pause
    :param job_lines_per_second: for one job
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
        self._jobs = 0

    def open_job(self) -> JobBudget:
        """Give a job its share; it is given back with :meth:`JobBudget.close`."""
        self._jobs += 1
        return JobBudget(self, TokenBucket(self._job_rate, self._job_burst))

    def available(self, now: float) -> int:
        """Return how many lines a single job may take of what there is for all, so that all jobs get some."""
        tokens = self._all.available(now)
        return max(int(tokens / max(1, self._jobs)), 1) if tokens >= 1 else 0

    def take(self, count: int) -> None:
        """Use up some of what is available."""
        self._all.take(count)

    def leave(self) -> None:
        """Give back a job's share."""
        self._jobs -= 1


class JobBudget:
    """One job's share of a :class:`LogBudget`."""

    __slots__ = ("_all", "_closed", "_own")

    def __init__(self, budget: LogBudget, own: TokenBucket) -> None:
        self._all = budget
        self._own = own
        self._closed = False

    def available(self, now: float | None = None) -> int:
        """Return how many lines may be shown now.

        :param now: a moment of the monotonic clock; the present one by default
        """
        now = time.monotonic() if now is None else now
        return min(int(self._own.available(now)), self._all.available(now))

    def take(self, count: int) -> None:
        """Use up some of what is available."""
        self._own.take(count)
        self._all.take(count)

    def close(self) -> None:
        """Give the share back; a second time does nothing."""
        if not self._closed:
            self._closed = True
            self._all.leave()
