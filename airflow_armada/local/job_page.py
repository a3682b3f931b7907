"""A page for each job of the embedded Armada, where a task's link *Lookout* leads: as much of Lookout as helps."""

from __future__ import annotations

import threading
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote

from airflow_armada.api import job_pb2
from airflow_armada.client.client import ArmadaClient
from airflow_armada.client.errors import ArmadaError
from airflow_armada.client.foreign_text import printable
from airflow_armada.client.log_client import JobLogClient
from airflow_armada.client.settings import SiteSettings
from airflow_armada.client.typings import JobState
from airflow_armada.follow.state.job_details import container_names
from airflow_armada.follow.state.reasons import readable

_JOBS = "/jobs/"
_LINES = 500
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color: #1d2433; }
h1 { font-size: 1.3rem; } h2 { font-size: 1rem; margin-top: 1.5rem; }
table { border-collapse: collapse; } th, td { text-align: left; padding: .15rem 1.2rem .15rem 0; vertical-align: top; }
th { font-weight: 500; color: #5a6478; } code, pre { font: 13px/1.5 ui-monospace, monospace; }
pre { background: #f4f6fa; border-radius: 6px; padding: .8rem 1rem; overflow-x: auto; white-space: pre-wrap; }
.state { border-radius: 4px; padding: .1rem .5rem; color: #fff; background: #5a6478; font-size: .85rem; }
.succeeded { background: #2e7d4f; } .running { background: #1f6feb; }
.failed, .rejected { background: #b3372f; } .preempted, .cancelled { background: #a15c00; }
"""


class JobPages:
    """
    Serves the pages on the loopback interface, to whoever uses this machine, as the Airflow beside it does.

    :param target: ``host:port`` of the embedded Armada.
    """

    def __init__(self, target: str) -> None:
        class Handler(_Handler):
            settings = SiteSettings(target=target, tls=None, binoculars=target)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Handler.host = f"127.0.0.1:{self._server.server_port}"
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="armada-job-pages", daemon=True)

    @property
    def url(self) -> str:
        """Where the pages are; what follows is ``/jobs/<id>``, as in Lookout."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    settings: SiteSettings
    host: str

    def do_GET(self) -> None:
        """Answer with the page of a job."""
        job_id = unquote(self.path.removeprefix(_JOBS))
        # A page of another site that has pointed a name of its own at this machine must not read it.
        known = self.headers.get("Host") == self.host
        if not known or not self.path.startswith(_JOBS) or not job_id.isalnum():
            return self._answer(404, _page("Not found", "<p>The pages of jobs are at /jobs/ and a job's id.</p>"))
        try:
            return self._answer(200, _job_page(self.settings, job_id))
        except LookupError:
            return self._answer(404, _page("Unknown job", f"<p>Armada does not know the job {escape(job_id)}.</p>"))
        except ArmadaError as error:
            return self._answer(502, _page("Armada does not answer", f"<p>{escape(str(error))}</p>"))

    def _answer(self, code: int, page: str) -> None:
        body = page.encode()
        self.send_response(code)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody reads an access log here."""


def _job_page(settings: SiteSettings, job_id: str) -> str:
    with ArmadaClient.open(settings, retry_timeout=0) as client:
        details = client.get_job_details([job_id], expand_job_spec=True).job_details.get(job_id)
        if details is None:
            raise LookupError(job_id)
        state = JobState(details.state)
        reason = ""
        if state.is_terminal() and state is not JobState.SUCCEEDED:
            reason = readable(client.get_job_errors([job_id]).job_errors.get(job_id, "")) or details.cancel_reason
    return job_html(details, reason, _logs(settings, details))


def _logs(settings: SiteSettings, details: job_pb2.JobDetails) -> dict[str, str]:
    """Give the last lines of each container's log, or why there are none."""
    logs: dict[str, str] = {}
    for container in container_names(details):
        with JobLogClient(
            settings.binoculars,
            details.job_id,
            disable_ssl=True,
            namespace=details.namespace,
            container=container,
            retry_timeout=0,
        ) as client:
            try:
                lines = client.logs()
            except ArmadaError as error:
                logs[container] = f"({error})"
            else:
                logs[container] = "\n".join(line.line for line in lines[-_LINES:])
    return logs


def job_html(details: job_pb2.JobDetails, reason: str, logs: dict[str, str]) -> str:
    """
    Make the page of a job.

    :param details: what Armada knows of it.
    :param reason: why it ended so; empty for none.
    :param logs: by container, its log.
    :return: the page.
    """
    state = JobState(details.state).name.lower()
    facts = {
        "Queue": details.queue,
        "Job set": details.jobset,
        "Namespace": details.namespace,
        "Submitted": _time(details, "submitted_ts"),
        "Changed": _time(details, "last_transition_ts"),
    }
    parts = [f'<p><span class="state {state}">{state}</span></p>', _table(facts)]
    if reason:
        parts.append(f"<h2>Why</h2><pre>{_lines(reason)}</pre>")
    for number, run in enumerate(reversed(details.job_runs), start=1):
        times = {name: _time(run, field) for name, field in _RUN_TIMES.items()}
        where = {"Cluster": run.cluster, "Node": run.node, "State": _run_state(run)}
        parts.append(f"<h2>Run {number}</h2>{_table(where | times)}")
    parts += [f"<h2>Log of {_text(name)}</h2><pre>{_lines(log)}</pre>" for name, log in logs.items()]
    return _page(f"Job {details.job_id}", "".join(parts))


_RUN_TIMES = {"Leased": "leased_ts", "Started": "started_ts", "Finished": "finished_ts"}


def _text(text: str) -> str:
    return escape(printable(text))


def _lines(text: str) -> str:
    return "\n".join(_text(line) for line in text.split("\n"))


def _run_state(run: job_pb2.JobRunDetails) -> str:
    name = job_pb2.JobRunState.Name(run.state) if run.state in job_pb2.JobRunState.values() else str(run.state)
    return name.removeprefix("RUN_STATE_").removeprefix("RUNS_STATE_").lower().replace("_", " ")


def _time(message: Any, field: str) -> str:
    return str(getattr(message, field).ToJsonString())[:19].replace("T", " ") if message.HasField(field) else ""


def _table(facts: dict[str, str]) -> str:
    rows = (f"<tr><th>{name}</th><td>{_text(value)}</td></tr>" for name, value in facts.items() if value)
    return f"<table>{''.join(rows)}</table>"


def _page(title: str, body: str) -> str:
    return (
        f"<!doctype html><html lang=en><head><meta charset=utf-8><title>{escape(title)}</title>"
        f"<style>{_STYLE}</style></head><body><h1>{escape(title)}</h1>{body}</body></html>"
    )
