"""The few places where Airflow 3.1, 3.2 and 3.3 differ."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.sdk.configuration import conf as conf
    from airflow.sdk.exceptions import (
        AirflowException,
        AirflowFailException,
        AirflowNotFoundException,
        AirflowTaskTimeout,
        TaskDeferralError,
        TaskDeferralTimeout,
    )
else:
    try:
        from airflow.sdk.exceptions import (
            AirflowException,
            AirflowFailException,
            AirflowNotFoundException,
            AirflowTaskTimeout,
            TaskDeferralError,
            TaskDeferralTimeout,
        )
    except ImportError:  # Airflow 3.1 keeps them in the core
        from airflow.exceptions import (
            AirflowException,
            AirflowFailException,
            AirflowNotFoundException,
            AirflowTaskTimeout,
            TaskDeferralError,
            TaskDeferralTimeout,
        )
    try:
        from airflow.sdk.configuration import conf
    except ImportError:
        from airflow.configuration import conf

__all__ = [
    "AirflowException",
    "AirflowFailException",
    "AirflowNotFoundException",
    "AirflowTaskTimeout",
    "TaskDeferralError",
    "TaskDeferralTimeout",
    "airflow_version",
    "conf",
    "default_deferrable",
    "event_hold",
    "process_age",
]


def airflow_version() -> tuple[int, int]:
    """
    Version of Airflow.

    :return: major and minor number.
    """
    from airflow import __version__

    major, minor = __version__.split(".")[:2]
    return int(major), int(minor)


def default_deferrable() -> bool:
    """
    Whether operators defer unless told otherwise.

    Airflow writes its own default of ``[operators] default_deferrable``, false, into every ``airflow.cfg`` that it
    generates. So a false in that file says nothing about what anybody wants; the environment variable does.

    :return: the value of ``AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE`` if it is set, else true.
    """
    if "AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE" in os.environ:
        return bool(conf.getboolean("operators", "default_deferrable"))
    return True


_MAX_SLOWNESS = 20.0


def process_age() -> float:
    """
    Age of this process, which tells when a task begins how slow the machine is at present.

    :return: seconds since it was started or forked.
    """
    import psutil  # type: ignore[import-untyped]

    created: float = psutil.Process().create_time()
    return max(0.0, time.time() - created)


def event_hold(startup: float = 0.0) -> float:
    """
    Time after a deferral in which a trigger must not fire.

    The executor may report the exit of the first worker process as late as ``[workers] min_heartbeat_interval`` after
    the process has ended; a task that is queued again by then looks to the scheduler like one that crashed. On a
    machine that is short of CPU the process also takes long to end, and the scheduler to read the report: together
    about a quarter of what the process took to start (measured with ten runnable processes to each CPU).

    :param startup: seconds that the first worker process took to start.
    :return: seconds.
    """
    configured = conf.get("armada", "event_hold", fallback="")
    if configured:
        return float(configured)
    interval: float = conf.getfloat("workers", "min_heartbeat_interval", fallback=5.0)
    return interval + min(max(1.0, startup / 3), _MAX_SLOWNESS)
