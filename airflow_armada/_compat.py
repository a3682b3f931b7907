"""
Where the versions of Airflow differ; nothing else in the package asks which one it runs on.

Each difference is asked for by :func:`before`, whose argument says which versions need the branch: those before it. The
branch goes when the oldest supported Airflow is that version; ``tests/unit/test_compat.py`` fails until then.
"""

from __future__ import annotations

import os
import sys
import time
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow import __version__ as _airflow_version

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

_VERSION = tuple(int(part) for part in _airflow_version.split(".")[:2])


def before(major: int, minor: int) -> bool:
    """
    Whether this Airflow is older than a version; its betas count as the version.

    :param major: major number of the version from which on the branch is not needed.
    :param minor: minor number of it.
    :return: whether the branch is needed.
    """
    return (major, minor) > _VERSION


if TYPE_CHECKING or not before(3, 2):
    from airflow.sdk.configuration import conf as conf
    from airflow.sdk.exceptions import (
        AirflowException,
        AirflowFailException,
        AirflowNotFoundException,
        AirflowSkipException,
        AirflowTaskTimeout,
        TaskDeferralError,
        TaskDeferralTimeout,
        TaskDeferred,
    )
else:  # the core keeps them
    from airflow.configuration import conf
    from airflow.exceptions import (
        AirflowException,
        AirflowFailException,
        AirflowNotFoundException,
        AirflowSkipException,
        AirflowTaskTimeout,
        TaskDeferralError,
        TaskDeferralTimeout,
        TaskDeferred,
    )

__all__ = [
    "AirflowException",
    "AirflowFailException",
    "AirflowNotFoundException",
    "AirflowSkipException",
    "AirflowTaskTimeout",
    "TaskDeferralError",
    "TaskDeferralTimeout",
    "TaskDeferred",
    "conf",
    "default_deferrable",
    "event_hold",
    "mask_in_this_process",
    "process_age",
]

HAS_RETRY_POLICIES = not before(3, 3)
CAN_RESCHEDULE = not before(3, 4)
"""Whether a retry policy can give a try back (``RetryAction.RESCHEDULE``)."""
TRIGGERS_HEAR_OF_KILLS = not before(3, 3)
"""Whether a trigger has ``on_kill``, and a message in the cancellation of its ``run``; before, ``cleanup`` is all."""
TRIGGERS_HEAR_OF_TAKEOVERS = not before(3, 4)
"""Whether that message tells a kill from a trigger that another triggerer has taken over."""


def mask_in_this_process(secret: str) -> None:
    """
    Mask a secret in what this process logs, without a word to Airflow's supervisor: any thread may do it.

    :param secret: the secret
    """
    try:
        from airflow.sdk._shared.secrets_masker import mask_secret
    except ImportError:
        return
    mask_secret(secret)


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


_MIN_SLOWNESS = 3.0  # s; an idle scheduler's loop takes one, its next loop queues before it reads; 1 was seen to fail
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
    the process has ended, and the scheduler must have read the report in an earlier loop than the one that queues the
    task again; otherwise it takes the task for one that crashed. On a machine that is short of CPU the process also
    takes long to end, and the loops of the scheduler are long: twice what the process took to start covers both
    (seen with nine runnable processes to each CPU: a start of 5 s, a loop of 10 s).

    :param startup: seconds that the first worker process took to start.
    :return: seconds.
    """
    configured = conf.get("armada", "event_hold", fallback="")
    if configured:
        return float(configured)
    interval: float = conf.getfloat("workers", "min_heartbeat_interval", fallback=5.0)
    return interval + min(max(_MIN_SLOWNESS, 2 * startup), _MAX_SLOWNESS)


def is_sensitive_name(name: str) -> bool:
    """
    Whether Airflow hides the value of something with this name.

    :param name: such as ``PASSWORD``.
    :return: what Airflow's secrets masker says.
    """
    masker = import_module("airflow.sdk._shared.secrets_masker")
    return bool(masker.should_hide_value_for_key(name))


def keyword_arguments(
    function: Callable[..., Any], args: Collection[Any], context: Mapping[str, Any]
) -> dict[str, Any]:
    """
    Those values of a context that a function asks for by the names of its parameters.

    :param function: the function.
    :param args: what it is given by position.
    :param context: the values.
    :return: keyword arguments for it.
    """
    module = import_module("airflow.utils.operator_helpers" if before(3, 2) else "airflow.sdk.bases.decorator")
    return dict(module.determine_kwargs(function, args, context))


def is_resumed(ti: Any) -> bool:
    """
    Whether a task goes on after it was deferred.

    :param ti: the task instance of the context.
    :return: false also where Airflow does not tell.
    """
    return bool(getattr(getattr(ti, "_ti_context_from_server", None), "next_method", None))


def runs_task() -> bool:
    """
    Whether this process was made to run one task; it parses a DAG file only to find it.

    :return: false in the DAG processor, which talks to its supervisor the same way, and in a user's own script.
    """
    from airflow.sdk import get_parsing_context

    if get_parsing_context().task_id is not None:
        return True
    # A mapped task is made after the file was parsed.
    runner = sys.modules.get("airflow.sdk.execution_time.task_runner")
    return hasattr(runner, "SUPERVISOR_COMMS") and "airflow.dag_processing.processor" not in sys.modules


@cache
def stats() -> Any:
    """
    Airflow's metrics.

    :return: its ``Stats``. Since 3.2 they are there twice; the copy of the task SDK is set up in triggerers as well.
    """
    return import_module("airflow.stats" if before(3, 2) else "airflow.sdk.observability.stats").Stats
