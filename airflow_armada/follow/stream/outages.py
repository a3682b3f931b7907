"""Looking after watches: which ones are down, refused or no longer used."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from airflow_armada.client.errors import ArmadaError
from airflow_armada.follow import background
from airflow_armada.follow.refusal import is_refusal
from airflow_armada.follow.stream.job_set_watch import JobSetWatch
from airflow_armada.follow.stream.snapshots import Snapshots
from airflow_armada.follow.timings import Timings

_TOLD_AT_ONCE = 50
_TELLING_PAUSE = 0.5


async def look_after(
    watches: Iterable[JobSetWatch], snapshots: Snapshots, target: str, timings: Timings
) -> list[JobSetWatch]:
    """Look at all watches once.

    :param watches: the watches of a site
    :param snapshots: its snapshots, the other way to see a job
    :param target: the server's address, for messages
    :param timings: waiting times
    :return: the watches that nobody has used for a while
    """
    now = asyncio.get_running_loop().time()
    unused = []
    for watch in list(watches):
        if watch.unused_since is not None:
            if now - watch.unused_since >= timings.linger:
                unused.append(watch)
            continue
        watch.revive()
        _check_refusal(watch, snapshots, now, timings)
        await _check_outage(watch, target, now, timings)
    return unused


def _check_refusal(watch: JobSetWatch, snapshots: Snapshots, now: float, timings: Timings) -> None:
    """Give up only when the server has refused us on both ways, and for long."""
    error = watch.stream.error
    if error is None or not (is_refusal(error) and is_refusal(snapshots.error)):
        watch.refused_since = None
    elif watch.refused_since is None:
        watch.refused_since = now
    elif now - watch.refused_since >= timings.refused_grace:
        for tracked in watch.jobs.values():
            tracked.refuse(error)


async def _check_outage(watch: JobSetWatch, target: str, now: float, timings: Timings) -> None:
    """Tell followers of a long outage once, and of its end."""
    down_since = watch.stream.down_since
    down = down_since is not None and now - down_since >= timings.outage_notice
    if down == watch.announced or (not down and down_since is not None):
        return
    watch.announced = down
    await background.end(watch.announcement)
    text = _outage_text(watch.stream.error, target) if down else "Armada answers again"
    watch.announcement = background.spawn(_announce(watch, text, down), f"armada notice {watch.job_set_id}")


def _outage_text(error: ArmadaError | None, target: str) -> str:
    why = str(error) if error else "the server ends the event stream at once"
    return f"no events come from Armada at {target}; still waiting ({why})"


async def _announce(watch: JobSetWatch, text: str, down: bool) -> None:
    """Wake many followers for a message a few at a time, because they share one log pipe."""
    for number, tracked in enumerate(list(watch.jobs.values()), start=1):
        if down or tracked.notice:
            tracked.tell(text)
        if number % _TOLD_AT_ONCE == 0:
            await asyncio.sleep(_TELLING_PAUSE)
