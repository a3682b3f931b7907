"""Links from a task to its job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

JOB_XCOM_KEY = "armada_job"
"""XCom in which the operator leaves the job's ids and link as soon as it is submitted, anew in each try."""


class LookoutLink(BaseOperatorLink):
    """The job's page in Lookout, from the moment of its submission."""

    name = "Armada Lookout"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """
        Find the link of a try.

        Airflow calls this on the worker after every part of a task, with the live operator, and keeps what it gets.

        :param operator: the operator of the task.
        :param ti_key: the task instance, which on a worker can read its own XComs.
        :return: the URL, empty if there is none; never raises, because that would hide the other links as well.
        """
        try:
            return str(getattr(operator, "job_url", "") or _from_xcom(ti_key))
        except Exception:
            return ""


def _from_xcom(ti_key: Any) -> str:
    from airflow.sdk.execution_time.xcom import XCom

    job = XCom.get_value(ti_key=ti_key, key=JOB_XCOM_KEY)
    return str(job.get("lookout_url") or "") if isinstance(job, dict) else ""
