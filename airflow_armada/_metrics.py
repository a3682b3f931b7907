"""This provider's metrics, sent through Airflow's Stats: to StatsD, OpenTelemetry or nowhere, as that is configured.

Names are fixed and begin with ``armada.``; what varies is in tags. A metric that cannot be sent is not worth a failed
task, so nothing here raises.
"""

from __future__ import annotations

import logging
import re
from datetime import timedelta
from typing import Any

from airflow_armada._compat import stats

log = logging.getLogger(__name__)

SUBMIT = "armada.submit"
"""Timer, tag ``queue``: from the beginning of a submission to the id of its job, retries and look-ups included."""

JOB_END = "armada.job_end"
"""Counter, tags ``queue`` and ``status``: jobs whose end a task has learnt. It is counted once more under a name that
ends with the status, such as ``armada.job_end.failed``: plain StatsD drops tags."""

JOB_TIME = "armada.job_time"
"""Timer, tags ``queue`` and ``status``: from a job's submission to its end, by Armada's clock."""

END_LAG = "armada.end_lag"
"""Timer, tag ``queue``: from a job's end, by Armada's clock, to the task's going on after it."""

JOBS_FOLLOWED = "armada.jobs_followed"
"""Gauge, tag ``site``: jobs that the triggers of this process wait for."""

STREAMS_OPEN = "armada.streams_open"
"""Gauge, tag ``site``: event streams of this process that are up; one per job set."""

STREAMS_DOWN = "armada.streams_down"
"""Gauge, tag ``site``: event streams that are being opened again."""

EVENTS = "armada.events"
"""Counter, tag ``site``: events received, those of jobs that nobody here waits for included."""

EVENT_LAG = "armada.event_lag"
"""Gauge, tag ``site``: seconds from Armada's storing of an event to its receipt here, of the newest event of the stream
that is furthest behind; by the clocks of both."""

RECONNECTS = "armada.stream_reconnects"
"""Counter, tag ``site``: how often an event stream was opened again."""

SNAPSHOT_CALLS = "armada.snapshot_calls"
"""Counter, tag ``site``: calls to the query API."""

LOG_CALLS = "armada.log_calls"
"""Counter, tag ``site``: calls to the log services."""

LOG_BUDGET_WAITS = "armada.log_budget_waits"
"""Counter, tag ``site``: how often a log was not read on because the budget for live lines was used up."""

LOG_LINES = "armada.log_lines"
"""Counter: lines of jobs' logs written to task logs."""


_NOT_IN_TAGS = re.compile(r"[^a-zA-Z0-9_./-]")
"""What Airflow drops a metric for where it writes tags into its name, as for InfluxDB."""


def incr(name: str, count: int = 1, **tags: str) -> None:
    """
    Add to a counter.

    :param name: one of the names above.
    :param count: how much; nothing is sent for 0.
    :param tags: what operators filter by.
    """
    if count:
        _send("incr", name, count, tags)


def gauge(name: str, value: float, **tags: str) -> None:
    """
    Set a gauge.

    :param name: one of the names above.
    :param value: its value.
    :param tags: what operators filter by.
    """
    _send("gauge", name, value, tags)


def timing(name: str, seconds: float, **tags: str) -> None:
    """
    Record how long something took.

    :param name: one of the names above.
    :param seconds: how long; less than nothing, by clocks that disagree, counts as nothing.
    :param tags: what operators filter by.
    """
    _send("timing", name, timedelta(seconds=max(0.0, seconds)), tags)


def _send(kind: str, name: str, value: Any, tags: dict[str, str]) -> None:
    try:
        clean = {tag: _NOT_IN_TAGS.sub("_", text) for tag, text in tags.items()}
        getattr(stats(), kind)(name, value, tags=clean)
    except Exception as error:
        log.debug("Metric %s could not be sent: %s", name, error)
