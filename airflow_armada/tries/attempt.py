"""The try of a task that is running now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from airflow_armada._compat import conf, process_age
from airflow_armada.tries.identity import JobIdentity


def loop_of(context: Mapping[str, Any]) -> str:
    """
    Name the pass of a dynamic loop that a task belongs to.

    Airflow 3.4 places every task instance by a region and an index in it. Outside of loops these say no more than the
    map index does, and a clear may change the region; inside of one they alone tell its passes apart.

    :param context: Airflow's context, which has ``loop`` inside of one.
    :return: ``<region id>.<index>``; empty outside of loops, and on older versions.
    """
    ti = context["ti"]
    return f"{ti.region_id}.{ti.region_index}" if context.get("loop") is not None else ""


@dataclass(frozen=True)
class Attempt:
    """
    One try of one task instance.

    :param dag_id: id of the DAG.
    :param run_id: id of the DAG run.
    :param task_id: id of the task.
    :param map_index: index of the mapped task, -1 if it is not mapped.
    :param try_number: number of the try, which rises with every retry and clear.
    :param epoch: number of the last try before the user last cleared the task, 0 if never.
    :param started_at: when the try began, in seconds since the epoch; kept across deferrals.
    :param startup: seconds that this process of the worker took to start.
    :param loop: which pass of which dynamic loop, see :class:`~airflow_armada.tries.identity.JobIdentity`.
    :param reschedules: how often the try has already run and was put off by ``AirflowRescheduleException``.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int
    epoch: int
    started_at: float
    startup: float = 0.0
    reschedules: int = 0
    loop: str = ""

    @classmethod
    def of(cls, context: Mapping[str, Any], retries: int) -> Attempt:
        """
        Read the context.

        Airflow sets ``max_tries`` to the number of tries so far plus ``retries`` when a task is cleared, and leaves
        it alone otherwise.

        :param context: Airflow's context.
        :param retries: retries of the task.
        :return: the try.
        """
        ti = context["ti"]
        started: datetime | None = ti.start_date
        return cls(
            dag_id=ti.dag_id,
            run_id=ti.run_id,
            task_id=ti.task_id,
            map_index=-1 if ti.map_index is None else ti.map_index,
            try_number=ti.try_number,
            epoch=max(0, (ti.max_tries or 0) - retries),
            started_at=started.timestamp() if started else datetime.now().timestamp(),
            startup=process_age(),
            loop=loop_of(context),
            reschedules=context.get("task_reschedule_count") or 0,
        )

    @property
    def is_first(self) -> bool:
        """
        Whether nothing of this task can have run before, so that nothing can have left a job.

        Airflow counts up the tries whenever it runs a task again, after retries, clears and lost workers alike; only a
        try that was put off, or resumed, keeps its number.
        """
        return self.try_number <= 1 and not self.reschedules

    def identity(self, resubmission: int = 0, try_number: int | None = None) -> JobIdentity:
        """
        Give the identity of a job of this task.

        :param resubmission: how often the job was resubmitted within the try.
        :param try_number: of which try; this one by default.
        :return: the identity.
        """
        return JobIdentity(
            dag_id=self.dag_id,
            run_id=self.run_id,
            task_id=self.task_id,
            map_index=self.map_index,
            try_number=self.try_number if try_number is None else try_number,
            resubmission=resubmission,
            scope=conf.get("armada", "identity_scope", fallback=""),
            loop=self.loop,
        )

    def deadline(self, execution_timeout: timedelta | None) -> float | None:
        """
        Tell when the try must have ended.

        :param execution_timeout: of the task.
        :return: seconds since the epoch, or None.
        """
        return self.started_at + execution_timeout.total_seconds() if execution_timeout else None
