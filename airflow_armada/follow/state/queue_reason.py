"""Why a job is still queued, in one sentence: from its queue, and from the scheduler's reports on both.

Armada says so in no single place: only the queue tells that it is cordoned, and the report on a job that the scheduler
has not come to is "none", as is that on a job which has ended.

Source of the reasons: ``internal/scheduler/scheduling/constraints`` of Armada.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from airflow_armada.api.annotations import GANG_CARDINALITY, GANG_ID
from airflow_armada.client.foreign_text import bounded
from airflow_armada.follow.state.reports import counted, node_problems, pools, rows

_LONGEST = 1000
_DOES_NOT_FIT = "job does not fit on any node"
_SENTENCES = {
    _DOES_NOT_FIT: "no node has room for it now",
    "maximum total resources for this queue exceeded": "its queue has used up the resources that it may have",
    "maximum resources scheduled": "the scheduler has started as much as it may in one round",
    "queue cordoned": "its queue is cordoned",
    "scheduling paused on queue": "its queue is cordoned",
}
_PARTLY = {
    "max burst size": "its gang is larger than what the scheduler starts at once, so it never starts",
    "uniformity label": "no node has the label by which its gang is to be placed, or the scheduler does not know it",
    "scheduling duration exceeded": "the scheduler's round was over before it came to it",
    "rate limit": "jobs are started at a limited rate",
    "fair share": "its queue has used up its fair share",
    "cardinality": "its gang cannot be placed as a whole",
    "gang": "its gang cannot be placed as a whole",
}


def is_answer(job_report: str) -> bool:
    """Whether a report on a job says why it waits."""
    return _of_job(job_report) != ""


def queue_reason(
    job_id: str,
    queue: str,
    *,
    cordoned: bool,
    job_report: str,
    queue_report: str,
    annotations: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Say why a job waits.

    :param job_id: the job
    :param queue: its queue
    :param cordoned: whether the queue is known to be cordoned
    :param job_report: the answer of GetJobReport, "" where there was none
    :param queue_report: the answer of GetQueueReport, "" where there was none
    :param annotations: the job's own, where the report on it is no answer: the scheduler does not say that a gang is
        incomplete
    :return: what is known, "" when that is nothing
    """
    if cordoned:
        return f"queue {queue} is cordoned: none of its jobs is started until somebody uncordons it"
    told = _of_job(job_report) or "; ".join(
        part for part in (_of_queue(job_id, queue, queue_report), _of_gang(annotations)) if part
    )
    return bounded(told, _LONGEST)


def _of_gang(annotations: Mapping[str, str]) -> str:
    size = annotations.get(GANG_CARDINALITY, "")
    if GANG_ID not in annotations or size in ("", "1"):
        return ""
    return f"it is one of a gang of {size}, of which none starts before all have been submitted"


def _of_job(report: str) -> str:
    told: dict[str, list[str]] = {}
    for pool, lines in pools(report):
        reason = rows(lines).get("UnschedulableReason", "none")
        if reason not in ("", "none"):
            problems = node_problems(lines)
            sentence = problems.sentence if problems and problems.problems else _sentence(reason)
            told.setdefault(sentence, []).append(pool)
    if len(told) == 1:
        return next(iter(told))
    return "; ".join(f"in pool {', '.join(names)} {sentence}" for sentence, names in told.items())


def _of_queue(job_id: str, queue: str, report: str) -> str:
    parts = pools(report)
    considered = [lines for _, lines in parts if rows(lines).get("Queue")]
    if not parts:
        return ""
    if not considered:
        return f"the scheduler has not looked at queue {queue} yet"
    waiting = [item for lines in considered for item in counted(lines, "Unschedulable jobs:")]
    for _, text in waiting:
        if job_id in text:
            return _sentence(_without_example(text))
    if not waiting:
        return "the scheduler has not come to it yet"
    listed = "; ".join(f"{_sentence(_without_example(text))} ({count})" for count, text in waiting)
    return f"the scheduler has not come to it yet; of other jobs of queue {queue} it says: {listed}"


def _without_example(text: str) -> str:
    return text.partition(" (e.g.")[0]


def _sentence(reason: str) -> str:
    """Put a reason of the scheduler into words; one that is not known stays as it is."""
    if known := _SENTENCES.get(reason):
        return known
    for part, sentence in _PARTLY.items():
        if part in reason:
            return f"{sentence} ({reason})"
    return reason
