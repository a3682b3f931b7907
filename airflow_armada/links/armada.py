"""Links from a task to pages about its job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


class NamedLink(BaseOperatorLink):
    """
    A link that a task's author has named in ``extra_links``.

    :param name: what the button says.
    """

    name = ""  # the base class wants one of the class

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def xcom_key(self) -> str:
        """The XCom that keeps it, as the published operator calls it."""
        return link_key(self.name)

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """
        Find the link of a try.

        :param operator: the live operator of the task.
        :param ti_key: the task instance.
        :return: the URL, empty if there is none yet.
        """
        urls: Mapping[str, str] = getattr(operator, "link_urls", {})
        return urls.get(self.name, "")


def link_key(name: str) -> str:
    """
    Name the XCom that keeps a link of ``extra_links``.

    :param name: of the link.
    :return: the key.
    """
    return f"armada_{name.lower()}_url"


def named_links(extra_links: Any) -> tuple[NamedLink, ...]:
    """
    Give the links that an author has named, for Airflow's UI.

    :param extra_links: the operator's argument.
    :return: a link for each.
    """
    return tuple(map(NamedLink, extra_links)) if isinstance(extra_links, Mapping) else ()


def hide_links(operator: Any) -> None:
    """
    Keep Airflow from storing the links when this part of the task ends: they have been stored, or there are none yet.

    Airflow makes a call for each after every part of a task, a resumed one included.

    :param operator: the live operator of the task.
    """
    own = (LookoutLink, NamedLink)
    operator.operator_extra_links = tuple(link for link in operator.operator_extra_links if not isinstance(link, own))


def show_links(operator: Any, ti: Any, urls: Mapping[str, str], *, at_once: bool) -> None:
    """
    Store links that have become known.

    :param operator: the live operator of the task.
    :param ti: its task instance.
    :param urls: by name.
    :param at_once: whether to store them now; otherwise Airflow does when this part of the task ends.
    """
    operator.link_urls = {**operator.link_urls, **urls}
    _show(operator, ti, [NamedLink(name) for name, url in urls.items() if url], at_once=at_once)


def show_lookout(operator: Any, ti: Any, *, at_once: bool) -> None:
    """
    Store the link to Lookout of a job that was submitted.

    :param operator: the live operator of the task, which knows the URL.
    :param ti: its task instance.
    :param at_once: whether to store it now; otherwise Airflow does when this part of the task ends.
    """
    _show(operator, ti, [LookoutLink()] if operator.job_url else [], at_once=at_once)


def _show(operator: Any, ti: Any, links: Sequence[BaseOperatorLink], *, at_once: bool) -> None:
    for link in links:
        if at_once:
            ti.xcom_push(key=link.xcom_key, value=link.get_link(operator, ti_key=ti))
        elif link.xcom_key not in [one.xcom_key for one in operator.operator_extra_links]:
            operator.operator_extra_links = (*operator.operator_extra_links, link)
