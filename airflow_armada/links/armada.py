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

        Airflow calls this on the worker after a part of a task, with the live operator, and keeps what it gets.

        :param operator: the operator of the task.
        :param ti_key: the task instance.
        :return: the URL, empty if there is none.
        """
        return str(getattr(operator, "job_url", ""))


def hide_link(operator: Any) -> None:
    """
    Keep Airflow from storing the link when this part of the task ends: it has been stored, or there is none yet.

    Airflow makes a call for it after every part of a task, a resumed one included.

    :param operator: the live operator of the task.
    """
    links = operator.operator_extra_links
    operator.operator_extra_links = tuple(link for link in links if not isinstance(link, LookoutLink))


def show_link(operator: Any, ti: Any, *, at_once: bool) -> None:
    """
    Store the link of a job that was submitted.

    :param operator: the live operator of the task, which knows the URL.
    :param ti: its task instance.
    :param at_once: whether to store it now; otherwise Airflow does when this part of the task ends.
    """
    if not operator.job_url:
        return
    if at_once:
        ti.xcom_push(key=LookoutLink().xcom_key, value=operator.job_url)
    else:
        operator.operator_extra_links = (*operator.operator_extra_links, LookoutLink())
