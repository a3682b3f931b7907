"""The links of a task to pages about its job, as they become known."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow_armada.links.templates import AT_THE_END, fill, is_known_at_submission

if TYPE_CHECKING:
    from airflow_armada.follow.state.outcome import Outcome
    from airflow_armada.task.arguments.task_arguments import TaskArguments
    from airflow_armada.wait.job_wait import JobWait

log = logging.getLogger("airflow.task.operators.airflow_armada")


def links_at_submission(arguments: TaskArguments, wait: JobWait) -> dict[str, str]:
    """
    Make the links that need nothing but the job's ids.

    :param arguments: the task's arguments, rendered.
    :param wait: the job.
    :return: addresses by the names of ``extra_links``.
    """
    return _filled(arguments, wait, None)


def links_at_the_end(arguments: TaskArguments, wait: JobWait, outcome: Outcome) -> dict[str, str]:
    """
    Make the links that need to know where the job ran.

    :param arguments: the task's arguments, rendered.
    :param wait: the job.
    :param outcome: its end, good or bad.
    :return: addresses by the names of ``extra_links``, without those of a job that never ran.
    """
    return _filled(arguments, wait, outcome)


def _filled(arguments: TaskArguments, wait: JobWait, outcome: Outcome | None) -> dict[str, str]:
    facts = {**wait.job._asdict(), "namespace": wait.namespace}
    if outcome is not None:
        facts |= {name: getattr(outcome, name) for name in AT_THE_END}
    made = {
        name: fill(template, facts)
        for name, template in (arguments.link_templates or {}).items()
        if is_known_at_submission(template) == (outcome is None)
    }
    for name, url in made.items():
        if url:
            log.info("%s: %s", name, url)
    return {name: url for name, url in made.items() if url}
