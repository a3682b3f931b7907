"""
Addresses of pages about a job, out of templates that an author or an admin wrote.

``{job_id}`` and so on stand for facts about the job. Those come from a server: they are quoted, and in the host of an
address they may not hold a dot, so that no server chooses where a link leads.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from airflow_armada.client.address import check_web_address
from airflow_armada.client.failure import SettingsError

AT_SUBMISSION = ("job_id", "queue", "job_set_id", "namespace")
"""Facts that are known as soon as the job is submitted."""

AT_THE_END = ("cluster", "node", "pod", "run_id")
"""Facts that are known when the job has ended, if it has ever run."""

FACTS = (*AT_SUBMISSION, *AT_THE_END)

_PLACE = re.compile(r"\{(\w*)\}")
_PUBLISHED = "<job_id>"  # as the published operator writes it
_IN_HOST = re.compile(r"[A-Za-z0-9-]+")


def check_template(text: Any, what: str, facts: Collection[str] = FACTS) -> None:
    """
    Check a template of an address.

    :param text: the template.
    :param what: the argument or field that it stands in, for errors.
    :param facts: what it may name.
    :raises ValueError: when it is none.
    """
    if not isinstance(text, str):
        raise ValueError(f"{what} must be a text such as https://host/path?job={{job_id}}, not {type(text).__name__}")
    text = text.replace(_PUBLISHED, "{job_id}")
    unknown = [name for name in _PLACE.findall(text) if name not in facts]
    if unknown:
        known = ", ".join(f"{{{name}}}" for name in facts)
        raise ValueError(f"{what}: {{{unknown[0]}}} is no fact about a job; known are {known}")
    try:
        address = text.partition("#")[0]
        check_web_address(_PLACE.sub("x", address), what, query=True)
    except SettingsError as error:
        raise ValueError(str(error)) from None


def is_known_at_submission(template: str) -> bool:
    """
    Tell whether an address can be made as soon as the job is submitted.

    :param template: a template that was checked.
    :return: false where it names what only the job's run tells.
    """
    return not set(_PLACE.findall(template)) & set(AT_THE_END)


def tells_the_end(extra_links: Any) -> bool:
    """
    Tell whether a task has links that only the end of its job completes.

    :param extra_links: the operator's argument, not checked yet.
    :return: true if there is one.
    """
    templates = extra_links.values() if isinstance(extra_links, Mapping) else ()
    return any(isinstance(one, str) and not is_known_at_submission(one) for one in templates)


def fill(template: str, facts: Mapping[str, str]) -> str:
    """
    Make an address.

    :param template: a template that was checked.
    :param facts: what is known of the job.
    :return: the address; empty where a fact is not known, or cannot be part of a host.
    """
    template = template.replace(_PUBLISHED, "{job_id}")
    named = {name: facts.get(name, "") for name in _PLACE.findall(template)}
    in_host = _PLACE.findall(urlsplit(template).netloc)
    if not all(named.values()) or not all(_IN_HOST.fullmatch(named[name]) for name in in_host):
        return ""
    return _PLACE.sub(lambda place: quote(named[place[1]], safe=""), template)
