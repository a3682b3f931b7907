"""The few places where Airflow 3.1, 3.2 and 3.3 differ."""

from __future__ import annotations

import os
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


def event_hold() -> float:
    """
    Time after a deferral in which a trigger must not fire.

    The executor may report the exit of the first worker process as late as ``[workers] min_heartbeat_interval`` after
    the deferral; a task that is queued again by then looks to the scheduler like one that crashed.

    :return: seconds.
    """
    configured = conf.get("armada", "event_hold", fallback="")
    if configured:
        return float(configured)
    return float(conf.getfloat("workers", "min_heartbeat_interval", fallback=5.0)) + 1.0
