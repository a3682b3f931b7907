"""
What a framework is told of a task's job: submitted, running, each line of its log, ended.

All of it runs on a worker, on a thread beside the task: a callback that raises, or is slow, hurts neither the job nor
the task. No code of a DAG runs in a triggerer, which all tasks share. So ``line`` is for tasks with
``deferrable=False``, and a deferred task is told of ``running`` when it resumes, with the time at which it was.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_armada.client.job_ref import JobRef


class JobCallbacks:
    """
    Hears of the job of a task; override what you need, and take ``**more``, since a later version may tell more.

    Calls come one after the other, in the order in which things happened. A task that submits its job again, after a
    preemption for instance, tells of each job.
    """

    def submitted(self, *, job: JobRef, adopted: bool, context: Mapping[str, Any], **more: Any) -> None:
        """
        The task has its job.

        :param job: queue, job set and id.
        :param adopted: whether an earlier try had submitted it, and this one takes it over.
        :param context: Airflow's context.
        :param more: what later versions tell.
        """

    def running(
        self, *, job: JobRef, at: str, cluster: str, node: str, context: Mapping[str, Any], **more: Any
    ) -> None:
        """
        The job has begun to run; it may do so more than once, if Armada runs it again by itself.

        :param job: queue, job set and id.
        :param at: RFC 3339 time by Armada's clock.
        :param cluster: where.
        :param node: where.
        :param context: Airflow's context.
        :param more: what later versions tell.
        """

    def line(self, *, job: JobRef, container: str, text: str, at: str, context: Mapping[str, Any], **more: Any) -> None:
        """
        The job has printed a line that the task log shows; needs ``deferrable=False``.

        A callback that is slower than the job misses lines, which the task log says.

        :param job: queue, job set and id.
        :param container: who printed it.
        :param text: the line.
        :param at: RFC 3339 time of the line.
        :param context: Airflow's context.
        :param more: what later versions tell.
        """

    def ended(
        self,
        *,
        job: JobRef,
        status: str,
        reason: str,
        facts: Mapping[str, Any],
        context: Mapping[str, Any],
        **more: Any,
    ) -> None:
        """
        The job has ended, or the task gives up waiting for it; not told of a task that is killed.

        :param job: queue, job set and id.
        :param status: ``succeeded``, ``failed``, ``preempted`` and so on.
        :param reason: why, empty after a success.
        :param facts: what the task would return.
        :param context: Airflow's context.
        :param more: what later versions tell.
        """


ARGUMENTS: Mapping[str, Sequence[str]] = {
    "submitted": ("job", "adopted", "context"),
    "running": ("job", "at", "cluster", "node", "context"),
    "line": ("job", "container", "text", "at", "context"),
    "ended": ("job", "status", "reason", "facts", "context"),
}
"""What each method is called with, by name."""

_OTHERS = {
    "on_pod_creation": "submitted",
    "on_pod_starting": "running",
    "progress_callback": "line",
    "on_pod_completion": "ended",
}
"""What KubernetesPodOperator's callbacks are called here."""


def all_callbacks(given: Any) -> tuple[Any, ...]:
    """
    Give the callbacks of a task.

    :param given: the operator's argument: one or several, each an object or a class that is made without arguments.
    :return: objects.
    """
    several = given if isinstance(given, list | tuple) else () if given is None else (given,)
    return tuple(one() if isinstance(one, type) else one for one in several)


def heard(callback: Any) -> dict[str, Any]:
    """
    Give the methods by which a callback wants to be told.

    :param callback: an object.
    :return: methods by name, without those that do nothing.
    """
    found = {name: getattr(callback, name, None) for name in ARGUMENTS}
    empty = {name: getattr(JobCallbacks, name) for name in ARGUMENTS}
    return {
        name: method
        for name, method in found.items()
        if callable(method) and getattr(method, "__func__", method) is not empty[name]
    }


def check_callbacks(given: Any) -> set[str]:
    """
    Check callbacks when a DAG file is parsed.

    :param given: the operator's argument.
    :return: the names of all methods that want to be called.
    :raises ValueError: naming what is wrong.
    """
    names: set[str] = set()
    for callback in all_callbacks(given):
        kind = type(callback).__name__
        methods = heard(callback)
        if not methods and not isinstance(callback, JobCallbacks):
            theirs = [f"{name} is {ours} here" for name, ours in _OTHERS.items() if hasattr(callback, name)]
            hint = "; ".join(theirs) or "make it one of airflow_armada.callbacks.JobCallbacks"
            raise ValueError(f"callbacks: {kind} has no method {', '.join(ARGUMENTS)}: {hint}")
        for name, method in methods.items():
            try:
                inspect.signature(method).bind(**dict.fromkeys(ARGUMENTS[name]))
            except TypeError as error:
                told = ", ".join(ARGUMENTS[name])
                raise ValueError(f"callbacks: {kind}.{name} is called with {told} by name: {error}") from None
            names.add(name)
    return names
