"""What works on the way to an Armada site and what does not: the check behind "Test" and ``airflow-armada check``."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

import grpc

from airflow_armada.api import binoculars_pb2, core_v1_pb2, empty_pb2, event_pb2, submit_pb2
from airflow_armada.api.loopback_token import loopback_port, read_token
from airflow_armada.api.methods import Binoculars, Event, Method, QueueService, Submit
from airflow_armada.client.address import CLUSTER_ID, Address
from airflow_armada.client.auth.credentials import Anonymous, Basic, BearerToken, Credentials
from airflow_armada.client.auth.tokens import jwt_expiry
from airflow_armada.client.channel import open_channel
from airflow_armada.client.errors import (
    ArmadaRpcError,
    NotFound,
    Unauthenticated,
    Unavailable,
    Unimplemented,
    from_grpc,
)
from airflow_armada.client.failure import ArmadaError
from airflow_armada.client.settings import SiteSettings, TlsSettings
from airflow_armada.client.site import probe

Status = Literal["ok", "warning", "failed", "skipped"]

NO_JOB = "01000000000000000000000000"
"""The id of a job that does not exist: well formed, from the year 2004."""

_SOON = 600.0


@dataclass(frozen=True)
class Finding:
    """
    One thing that was looked at.

    :param check: "address", "tls", "credentials", "queue" or "logs"
    :param status: "failed" means that jobs cannot be run
    :param text: what was found
    :param fix: what most likely helps, "" when nothing need be done
    """

    check: str
    status: Status
    text: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.check}: {self.text}" + (f"; {self.fix}" if self.fix else "")


@dataclass(frozen=True)
class Diagnosis:
    """
    The result of a check.

    :param findings: in the order in which they were made
    """

    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether jobs can be run."""
        return all(finding.status != "failed" for finding in self.findings)

    @property
    def summary(self) -> str:
        """One line: the first failure with its fix, or what works with all warnings."""
        for finding in self.findings:
            if finding.status == "failed":
                return str(finding)
        works = [finding.text for finding in self.findings if finding.status == "ok"]
        warnings = [f"warning: {finding}" for finding in self.findings if finding.status == "warning"]
        return "; ".join(works + warnings)

    def to_dict(self) -> dict[str, Any]:
        """:return: the diagnosis as plain values, for JSON"""
        return {"ok": self.ok, "summary": self.summary, "findings": [asdict(finding) for finding in self.findings]}


def diagnose(settings: SiteSettings, queue: str = "", *, timeout: float = 5.0) -> Diagnosis:
    """
    Try the way to a site step by step; a step that fails ends it, except for the log service's, which is tried last.

    :param settings: the site
    :param queue: name of a queue that must be visible; "" looks only at what queues there are
    :param timeout: s for each step
    """
    findings: list[Finding] = []
    for step in (_reach, _credentials, _queue):
        findings += step(settings, queue, timeout)
        if not all(finding.status != "failed" for finding in findings):
            return Diagnosis(tuple(findings))
    return Diagnosis((*findings, *_logs(settings, timeout)))


def _reach(settings: SiteSettings, _: str, timeout: float) -> list[Finding]:
    return _reach_target(settings.target, settings.tls, settings.use_proxy, timeout)


def _reach_target(target: str, tls: TlsSettings | None, use_proxy: bool, timeout: float) -> list[Finding]:
    address = probe.address_of(target)
    proxy = probe.proxy_of(address.host) if address and use_proxy else ""
    if address is None or proxy:
        way = f"through the proxy {proxy}" if proxy else "by gRPC only, which resolves the name"
        return [Finding("address", "skipped", f"{target} is reached {way}")]
    try:
        probe.connect(address, timeout)
    except probe.ProbeError as error:
        return [Finding("address", "failed", str(error), error.fix)]
    found = Finding("address", "ok", f"{target} is reachable")
    return [found, _encryption(address, tls, timeout)]


def _encryption(address: Address, tls: TlsSettings | None, timeout: float) -> Finding:
    if tls is None:
        if probe.speaks_tls(address, timeout):
            return Finding("tls", "failed", f"{address.host}:{address.port} speaks TLS", "turn TLS on")
        return Finding("tls", "ok", "plain text, as the settings say")
    try:
        return Finding("tls", "ok", f"certificate accepted ({probe.handshake(address, tls, timeout)})")
    except probe.ProbeError as error:
        return Finding("tls", "failed", str(error), error.fix)


def _credentials(settings: SiteSettings, _: str, timeout: float) -> list[Finding]:
    kind = type(settings.credentials).__name__
    authorization = ""
    try:
        authorization = settings.credentials.authorization()
        _call(settings, Submit.HEALTH, empty_pb2.Empty(), timeout)
    except Unauthenticated as error:
        fix = _login_fix(settings.credentials, authorization)
        return [Finding("credentials", "failed", f"the server refuses them: {_text(error)}", fix)]
    except ArmadaRpcError as error:
        text = f"{error.method} answered {error.code().name}: {_text(error)}"
        return [Finding("credentials", "failed", text, _proxy_fix(error, settings) or _fix(error))]
    except ArmadaError as error:
        return [Finding("credentials", "failed", str(error))]
    if kind != Anonymous.__name__:
        text = f"credentials accepted ({kind})"
    elif settings.tls is None and read_token(loopback_port(settings.target)):
        text = "accepted with the token that the embedded Armada has left for this user"
    else:
        text = "accepted without credentials"
    return [Finding("credentials", "ok", text), *_announced_expiry(settings, authorization)]


def _announced_expiry(settings: SiteSettings, authorization: str) -> list[Finding]:
    expiry = jwt_expiry(authorization.partition(" ")[2])
    if expiry is None or not isinstance(settings.credentials, BearerToken):
        return []
    left = expiry - time.time()
    when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(expiry))
    text = f"the token expires at {when}, in {max(0, round(left / 60))} minutes, and nothing renews it"
    return [Finding("credentials", "warning", text, "use a kind of credentials that is renewed for longer work")]


def _queue(settings: SiteSettings, queue: str, timeout: float) -> list[Finding]:
    if not queue:
        return _any_queue(settings, timeout)
    request = event_pb2.JobSetRequest(queue=queue, id="airflow-armada-check", watch=False)
    try:
        _call(settings, QueueService.GET_QUEUE, submit_pb2.QueueGetRequest(name=queue), timeout)
        _call(settings, Event.GET_JOB_SET_EVENTS, request, timeout)
    except ArmadaRpcError as error:
        return [
            Finding("queue", "failed", f"queue {queue!r} cannot be watched: {_text(error)}", _queue_fix(error, queue))
        ]
    return [Finding("queue", "ok", f"queue {queue!r} can be watched")]


def _any_queue(settings: SiteSettings, timeout: float) -> list[Finding]:
    try:
        messages = _call(settings, QueueService.GET_QUEUES, submit_pb2.StreamingQueueGetRequest(num=0), timeout)
    except ArmadaRpcError as error:
        return [Finding("queue", "warning", f"queues cannot be listed: {_text(error)}", _fix(error))]
    count = sum(message.WhichOneof("event") == "queue" for message in messages)
    if not count:
        return [
            Finding("queue", "warning", "the server has no queue", "have one created (armadactl create queue NAME)")
        ]
    return [Finding("queue", "ok", f"{count} queue{'s' if count > 1 else ''} visible")]


def _logs(settings: SiteSettings, timeout: float) -> list[Finding]:
    targets = sorted({address for _, address in settings.binoculars_by_cluster})
    if settings.binoculars and CLUSTER_ID not in settings.binoculars:
        targets.append(settings.binoculars)
    if not targets:
        text = "log services are one per cluster, none is known yet" if settings.binoculars else "no log service is set"
        return [
            Finding("logs", "skipped", text, "" if settings.binoculars else "set binoculars to see the logs of jobs")
        ]
    return [_log_service(settings, target, timeout) for target in targets]


def _log_service(settings: SiteSettings, target: str, timeout: float) -> Finding:
    for finding in _reach_target(target, settings.log_tls, settings.use_proxy, timeout):
        if finding.status == "failed":
            return Finding("logs", "warning", f"log service: {finding.text}", finding.fix)
    request = binoculars_pb2.LogRequest(job_id=NO_JOB, pod_namespace="default", log_options=core_v1_pb2.PodLogOptions())
    try:
        _call(settings, Binoculars.LOGS, request, timeout, target=target, log_service=True)
    except (NotFound, ArmadaError) as error:
        return _log_answer(error, target)
    return Finding("logs", "ok", f"log service {target} answers")


def _log_answer(error: ArmadaError, target: str) -> Finding:
    """A log service that says that there is no such pod is a healthy one."""
    if isinstance(error, NotFound) or "not found" in str(error).lower():
        return Finding("logs", "ok", f"log service {target} answers")
    if isinstance(error, Unimplemented):
        return Finding("logs", "warning", f"{target} is not a log service", "give the gRPC port of Binoculars")
    if "is forbidden" in str(error):
        fix = "the log service, or you where it impersonates its callers, needs the right to read pods/log there"
        return Finding("logs", "warning", f"log service {target}: reading logs is forbidden", fix)
    text = _text(error) if isinstance(error, ArmadaRpcError) else str(error)
    return Finding("logs", "warning", f"log service {target}: {text}", _fix(error))


def _call(settings: SiteSettings, method: Method[Any, Any], request: Any, timeout: float, **where: Any) -> Any:
    """Make one call without any retry; the answer of a streaming method is the list of its messages."""
    with open_channel(settings, **where) as channel:
        call: Callable[..., Any] = method.bind(channel)
        try:
            answer = call(request, timeout=timeout)
            return list(answer) if method.streaming else answer
        except grpc.RpcError as error:
            raise from_grpc(error, method.name) from None


def _text(error: ArmadaRpcError) -> str:
    return " ".join(error.details().split())[:300] or error.code().name


def _fix(error: ArmadaError) -> str:
    if isinstance(error, Unimplemented):
        return "this is not an Armada server, or its address is that of another port"
    if isinstance(error, Unavailable):
        return "check the address, the port, TLS on or off, and that the server is healthy"
    return error.hint if isinstance(error, ArmadaRpcError) else ""


def _proxy_fix(error: ArmadaRpcError, settings: SiteSettings) -> str:
    """
    Tell what helps against a proxy on either side.

    nginx ends the handshake before it looks for a client certificate, and then answers HTTP 400.
    """
    address = probe.address_of(settings.target)
    proxy = probe.proxy_of(address.host) if address and settings.use_proxy else ""
    if proxy and isinstance(error, Unavailable):
        return f"the proxy {proxy} of the environment may not let it through: check it, or set use_proxy to false"
    if settings.tls is None or "status: 400" not in error.details():
        return ""
    return probe.client_certificate_fix(settings.tls)


def _queue_fix(error: ArmadaRpcError, queue: str) -> str:
    return f"ask for the watch permission on queue {queue!r}" if "permission" in error.details() else _fix(error)


def _login_fix(credentials: Credentials, authorization: str) -> str:
    if isinstance(credentials, Anonymous):
        return "the server wants credentials: give some"
    if isinstance(credentials, Basic):
        return "check the user name and the password"
    expiry = jwt_expiry(authorization.partition(" ")[2])
    if expiry is not None and expiry < time.time():
        when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(expiry))
        return f"the token expired at {when}: give a new one"
    return "check that the token is for this server (issuer, audience) and not revoked"
