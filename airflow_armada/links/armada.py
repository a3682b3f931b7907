"""Links from a task to its job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

LOOKOUT_XCOM_KEY = "armada_lookout_url"
"""XCom in which the operator leaves the link as soon as the job is submitted, one for each try."""


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
            return str(getattr(operator, "job_url", "") or _from_xcom(ti_key) or "")
        except Exception:
            return ""


def _from_xcom(ti_key: Any) -> Any:
    if hasattr(ti_key, "xcom_pull"):
        return ti_key.xcom_pull(key=LOOKOUT_XCOM_KEY, task_ids=ti_key.task_id, map_indexes=ti_key.map_index)
    from airflow.sdk.execution_time.xcom import XCom

    return XCom.get_value(ti_key=ti_key, key=LOOKOUT_XCOM_KEY)
