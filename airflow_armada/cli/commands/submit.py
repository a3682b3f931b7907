"""``airflow-armada submit``."""

from __future__ import annotations

import sys
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

from airflow_armada.cli.output import BAD, OK, Output
from airflow_armada.cli.remote import site_of
from airflow_armada.cli.site import connection_of
from airflow_armada.client.failure import SettingsError
from airflow_armada.jobs.build import main_pod_spec
from airflow_armada.jobs.checks.check import request_problems
from airflow_armada.jobs.checks.server_rules import DEFAULT_RULES, ServerRules
from airflow_armada.jobs.job_forms import JobFile, read_jobs
from airflow_armada.jobs.problems import InvalidJob, raise_if_any
from airflow_armada.jobs.render import render_request
from airflow_armada.jobs.resources import complete_resources

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
        output.line(f"note: {note}")
    if arguments.dry_run:
        text = render_request(file.items, file.queue, file.job_set_id)
        output.both(text.rstrip(), {"valid": True, "jobs": len(file.items), "request": text})
        return OK
    return _send(arguments, file, output)


def _read(arguments: Namespace) -> JobFile:
    name = "standard input" if arguments.file == "-" else arguments.file
    file = read_jobs(_text(arguments.file), name)
    file.queue = arguments.queue or file.queue
    file.job_set_id = arguments.job_set or file.job_set_id
    for item in file.items:
        if item.HasField("pod_spec") or item.pod_specs:
            file.notes += complete_resources(main_pod_spec(item))
    raise_if_any(request_problems(file.items, file.queue, file.job_set_id, _rules(arguments)))
    return file


def _rules(arguments: Namespace) -> ServerRules:
    """What Airflow's configuration says of its connections; which priority classes other sites have is not known."""
    connection = connection_of(arguments)
    if not connection:
        return replace(DEFAULT_RULES, priority_classes=None)
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


def _send(arguments: Namespace, file: JobFile, output: Output) -> int:
    with site_of(arguments) as (settings, client):
        answers = client.submit_jobs(file.queue, file.job_set_id, file.items).job_response_items
    for answer in answers:
        url = settings.job_url(answer.job_id)
        value = {"job": answer.job_id, "queue": file.queue, "job_set": file.job_set_id, "error": answer.error}
        if answer.error:
            output.both(f"refused: {answer.error}", value)
        else:
            output.both(f"{answer.job_id}  {url}".rstrip(), {**value, "url": url})
    return BAD if any(answer.error for answer in answers) else OK
