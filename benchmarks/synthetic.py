"""Events, states and log lines made up for measuring, in the form that a server would send them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from airflow_armada.api import binoculars_pb2, core_v1_pb2, event_pb2, job_pb2, submit_pb2

QUEUE = "bench"
CLUSTER = "cluster-1"
NODE = "node-17.example.internal"
LIFE = ("submitted", "queued", "leased", "pending", "running", "succeeded")
"""The events of a job that succeeds, in order."""

_RUN_STAMPS = {"leased": "leased_ts", "pending": "pending_ts", "running": "started_ts", "succeeded": "finished_ts"}
_STATES = {
    "submitted": submit_pb2.JobState.Value("QUEUED"),
    "queued": submit_pb2.JobState.Value("QUEUED"),
    "leased": submit_pb2.JobState.Value("LEASED"),
    "pending": submit_pb2.JobState.Value("PENDING"),
    "running": submit_pb2.JobState.Value("RUNNING"),
    "succeeded": submit_pb2.JobState.Value("SUCCEEDED"),
}


def job_id(number: int) -> str:
    """Return an id of the length that Armada's have."""
    return f"01bench{number:019d}"


def event_body(kind: str, job: str, job_set: str, moment: float) -> bytes:
    """Return a serialised ``api.EventMessage``, with what a server fills in.

    :param kind: one of :data:`LIFE` or ``utilisation``
    :param moment: its ``created``, in seconds since the epoch
    """
    message = event_pb2.EventMessage()
    event = getattr(message, kind)
    event.job_id, event.job_set_id, event.queue = job, job_set, QUEUE
    _stamp(event.created, moment)
    if kind in ("leased", "pending", "running", "utilisation"):
        event.cluster_id = CLUSTER
    if kind in ("pending", "running", "utilisation"):
        event.kubernetes_id = "6f1d7f0e-5a0c-4c1f-9d1e-1f6b8a3c2d4e"
        event.pod_name, event.pod_namespace = f"armada-{job}-0", "default"
    if kind in ("running", "utilisation"):
        event.node_name = NODE
    if kind == "utilisation":
        for name, amount in (("cpu", "950m"), ("memory", "1200Mi"), ("ephemeral-storage", "20Mi")):
            event.MaxResourcesForPeriod[name].string = amount
    if kind == "submitted":
        event.job.CopyFrom(_job(job, job_set))
    return message.SerializeToString()


def _job(job: str, job_set: str) -> submit_pb2.Job:
    container = core_v1_pb2.Container(
        name="main", image="registry.example.internal/team/image:1.2.3", args=["python", "-m", "work", "--part", job]
    )
    for name, amount in (("cpu", "1"), ("memory", "2Gi"), ("ephemeral-storage", "1Gi")):
        container.resources.requests[name].string = amount
        container.resources.limits[name].string = amount
    for name in ("HTTP_PROXY", "NO_PROXY", "DATA_ROOT", "STAGE"):
        container.env.add(name=name, value=f"value-of-{name.lower()}")
    spec = core_v1_pb2.PodSpec(containers=[container], restartPolicy="Never")
    found = submit_pb2.Job(id=job, job_set_id=job_set, queue=QUEUE, namespace="default", pod_spec=spec, owner="bench")
    found.labels["airflow/dag_id"] = "bench"
    return found


def stream_message(message_id: str, body: bytes) -> bytes:
    """Wrap a serialised event into a serialised ``api.EventStreamMessage`` without making an object of either."""
    name = message_id.encode()
    return b"\x0a" + _varint(len(name)) + name + b"\x12" + _varint(len(body)) + body


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def message_id(milliseconds: int, sequence: int = 0) -> str:
    """Return an id in the server's form ``<ms>:<sequence>:<index>:<last>``."""
    return f"{milliseconds}:{sequence}:0:1"


def lives(jobs: Sequence[str], job_set: str, moment: float) -> Iterator[bytes]:
    """Return the bodies of all events of some jobs that run side by side: every job submitted, every job queued, ..."""
    for kind in LIFE:
        for job in jobs:
            yield event_body(kind, job, job_set, moment)


def details(job: str, job_set: str, moments: Mapping[str, float]) -> job_pb2.JobDetails:
    """Return what the query API says about a job.

    :param moments: when each of its events was, in order, in seconds since the epoch
    """
    kind = next(reversed(moments))
    found = job_pb2.JobDetails(job_id=job, queue=QUEUE, jobset=job_set, namespace="default", state=_STATES[kind])
    _stamp(found.submitted_ts, next(iter(moments.values())))
    _stamp(found.last_transition_ts, moments[kind])
    if "leased" in moments:
        found.latest_run_id = f"run-{job}"
        run = found.job_runs.add(run_id=found.latest_run_id, job_id=job, cluster=CLUSTER, node=NODE)
        for past, moment in moments.items():
            if past in _RUN_STAMPS:
                _stamp(getattr(run, _RUN_STAMPS[past]), moment)
    return found


def _stamp(stamp: Any, moment: float) -> None:
    stamp.seconds, stamp.nanos = int(moment), int(moment % 1 * 1e9)


def state(kind: str) -> int:
    """Return the ``api.JobState`` after an event of a kind."""
    return _STATES[kind]


@dataclass(frozen=True)
class Writing:
    """How jobs write their logs.

    :param begin: when they began, in seconds since the epoch
    :param end: when they stop
    :param rate: lines a second of each job
    :param page_bytes: the most that a server answers with at once
    """

    begin: float
    end: float
    rate: float
    page_bytes: int = 2_000_000

    @property
    def lines(self) -> int:
        """How many lines each job writes in all."""
        return int((self.end - self.begin) * self.rate)

    def page(self, since: str, now: float) -> list[binoculars_pb2.LogLine]:
        """Return the lines from a time on, its whole second included, as Kubernetes does.

        :param since: RFC 3339, "" for the beginning
        :param now: in seconds since the epoch; later lines are not written yet
        """
        first = max(0, -int(-(_whole_second(since) - self.begin) * self.rate // 1)) if since else 0
        last = min(self.lines, int((now - self.begin) * self.rate) + 1)
        page, size = [], 0
        for number in range(first, max(first, last)):
            line = binoculars_pb2.LogLine(timestamp=self.stamp(number), line=b"line %d " % number + b"x" * 80)
            size += len(line.line) + 32
            if size > self.page_bytes:
                break
            page.append(line)
        return page

    def stamp(self, number: int) -> str:
        """Return the timestamp of a line, with nanoseconds."""
        nanoseconds = int(self.begin * 1e9) + int(number * 1e9 / self.rate)
        moment = datetime.fromtimestamp(nanoseconds // 10**9, UTC)
        return f"{moment:%Y-%m-%dT%H:%M:%S}.{nanoseconds % 10**9:09d}Z"


def _whole_second(text: str) -> float:
    return datetime.fromisoformat(text[:19] + "+00:00").timestamp()
