"""A result that becomes several XComs: ``multiple_outputs``, which Airflow itself carries out."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow_armada.client.foreign_text import bounded
from airflow_armada.exceptions import ArmadaResultError
from airflow_armada.links.armada import JOB_XCOM_KEY

if TYPE_CHECKING:
    from airflow_armada.wait.job_wait import JobWait

_KEPT = re.compile(rf"return_value|{JOB_XCOM_KEY}|job_context|_link_.*|armada_.*_url", re.DOTALL)
_LONGEST_KEY = 512  # characters of the column in Airflow's database


def check_outputs(wait: JobWait, value: Any, note_end: Callable[[str], None]) -> None:
    """
    Check a result that becomes an XCom for each of its keys (``multiple_outputs``), before Airflow stores any.

    A job may not write the XComs in which its task keeps the job and the links that Airflow's UI shows.

    :param wait: the job.
    :param value: its result.
    :param note_end: lets no retry take the job over, whose result would be the same.
    :raises ArmadaResultError: when it cannot be.
    """
    what = f"Armada job {wait.job_id} succeeded, but its result"
    if not isinstance(value, dict):
        problem = f"{what} is no JSON object, as multiple_outputs needs it"
    elif kept := [key for key in value if _KEPT.fullmatch(key)]:
        problem = f"{what} has the key {bounded(kept[0], _LONGEST_KEY)!r}, which is an XCom of the task's own"
    elif any(len(key) > _LONGEST_KEY for key in value):
        problem = f"{what} has a key of more than {_LONGEST_KEY} characters, which names no XCom"
    else:
        return
    note_end("failed")
    raise ArmadaResultError(problem)
