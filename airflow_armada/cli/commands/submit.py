"""``airflow-armada submit``."""

from __future__ import annotations

import hashlib
import sys
import time
import uuid
from argparse import Namespace
from pathlib import Path
from typing import Any

from airflow_armada.cli.commands.watch import watch_job_set
from airflow_armada.cli.output import BAD, OK, Output
from airflow_armada.cli.remote import site_of
from airflow_armada.cli.site import connection_of
from airflow_armada.client.client import ArmadaClient
from airflow_armada.client.failure import ArmadaError, SettingsError
from airflow_armada.client.job_ref import created_at
from airflow_armada.client.settings import SiteSettings
from airflow_armada.jobs.build import complete
from airflow_armada.jobs.checks.check import request_problems, warnings
from airflow_armada.jobs.checks.server_rules import DEFAULT_RULES, ServerRules
from airflow_armada.jobs.job_forms import JobFile, read_jobs
from airflow_armada.jobs.problems import InvalidJob, raise_if_any
from airflow_armada.jobs.render import render_request

_AT_ONCE = 50  # jobs; even the largest fit into one request
_CLOCKS = 60.0  # s by which the server's clock may be behind
_LARGEST_FILE = 64 << 20


def submit(arguments: Namespace, output: Output) -> int:
    """Check the jobs of a file and submit them."""
    try:
        file = _read(arguments)
    except InvalidJob as error:
        problems = [{"path": problem.path, "problem": str(problem)} for problem in error.problems]
        output.both(str(error), {"valid": False, "problems": problems})
        return BAD
    for note in file.notes:
        output.note(f"note: {note}")
    if arguments.dry_run:
        text = render_request(file.items, file.queue, file.job_set_id)
        output.both(text.rstrip(), {"valid": True, "jobs": len(file.items), "request": text})
        return OK
    _name(file, again=arguments.again)
    with site_of(arguments) as (settings, client):
        sent = _send(client, settings, file, output)
        if len(sent) == len(file.items) and arguments.wait:
            states = watch_job_set(client, file.queue, file.job_set_id, output, wanted=sent.__contains__)
            return OK if states.all_succeeded else BAD
    return OK if len(sent) == len(file.items) else BAD


def _read(arguments: Namespace) -> JobFile:
    name = "standard input" if arguments.file == "-" else arguments.file
    file = read_jobs(_text(arguments.file), name)
    file.queue = arguments.queue or file.queue
    file.job_set_id = arguments.job_set or file.job_set_id
    for item in file.items:
        item.namespace = arguments.namespace or item.namespace
        file.notes += complete(item)
    rules = _rules(arguments)
    raise_if_any(request_problems(file.items, file.queue, file.job_set_id, rules))
    file.notes += dict.fromkeys(text for item in file.items for text in warnings(item, rules))
    return file


def _name(file: JobFile, *, again: bool) -> None:
    """Give jobs a client id that the same file gives again, so that a second run of the command finds them."""
    salt = uuid.uuid4().hex if again else ""
    for number, item in enumerate(file.items):
        content = item.SerializeToString(deterministic=True)
        named = "\n".join((file.queue, file.job_set_id, str(number), salt)).encode()
        identity = f"file-{hashlib.sha256(named + content).hexdigest()[:32]}"
        item.client_id = item.client_id or identity
        item.external_job_uri = item.external_job_uri or identity


def _rules(arguments: Namespace) -> ServerRules:
    """What Airflow's configuration says of its connections; which priority classes other sites have is not known."""
    connection = connection_of(arguments)
    if not connection:
        return DEFAULT_RULES
    from airflow_armada.hooks.site_rules import site_rules  # imports Airflow, which takes a second

    return site_rules(connection)


def _text(path: str) -> str:
    try:
        content = sys.stdin.buffer.read(_LARGEST_FILE) if path == "-" else Path(path).read_bytes()
        return content.decode("utf-8")
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path} is not text") from None


def _send(client: ArmadaClient, settings: SiteSettings, file: JobFile, output: Output) -> set[str]:
    """Submit the jobs in parts, and show each part at once: what comes after it may fail."""
    sent: set[str] = set()
    began = time.time()
    for start in range(0, len(file.items), _AT_ONCE):
        part = file.items[start : start + _AT_ONCE]
        try:
            answers = client.submit_jobs(file.queue, file.job_set_id, part).job_response_items
        except ArmadaError:
            if sent:
                output.note(
                    f"{len(sent)} of {len(file.items)} jobs were submitted, see above; the same command sends the rest"
                )
            raise
        for answer in answers:
            _show(answer, file, settings, began, output)
        sent |= {answer.job_id for answer in answers if not answer.error}
    return sent


def _show(answer: Any, file: JobFile, settings: SiteSettings, began: float, output: Output) -> None:
    value = {"job": answer.job_id, "queue": file.queue, "job_set": file.job_set_id, "error": answer.error}
    if answer.error:
        output.note(f"refused: {answer.error}")
        output.value(value)
        return
    url = settings.job_url(answer.job_id)
    output.both(answer.job_id, {**value, "url": url})
    if (created_at(answer.job_id) or began) < began - _CLOCKS:
        output.note(f"{answer.job_id} was submitted before, by the same file; --again submits it anew")
    if url and not output.as_json:
        output.note(url)
