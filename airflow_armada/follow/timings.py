"""The waiting times of the follower, in one place, so that tests and unusual sites can change them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Timings:
    """Waiting times, all in seconds.

    :param linger: how long an unused site or watch stays open for the next user; the tasks of one DAG run may start
        many seconds apart on a busy machine, and are to share one stream
    :param tick: how often watches are looked after
    :param gather: how long events are gathered before they are taken and followers wake
    :param look_back: how long before a job's submission its watch begins, against clocks that disagree
    :param recent: how far back from now a watch begins at most; what is older, snapshots tell
    :param first_back_off: wait before a broken stream is reopened for the first time
    :param max_back_off: the longest such wait
    :param idle: silence after which a stream is reopened, in case it is half-open; doubles while nothing arrives. That
        is seldom, because keepalive notices a dead connection, and a snapshot that knows more reopens the stream
    :param max_idle: the longest such silence
    :param snapshot_window: how long joiners are collected for one snapshot call
    :param sweep_tick: how often it is looked for jobs that are due for a snapshot
    :param sweep: silence of a job after which a snapshot is taken; doubles while the job stays silent. A running pod is
        heard of every 5 minutes, by its ``utilisation``, so that healthy ones need none
    :param max_sweep: the longest such silence
    :param degraded_sweep: the same while the job's stream is down, and while no source knows the job
    :param lost_grace: how long no source may know a job before it counts as lost
    :param refused_grace: how long a server may refuse us on all ways before following gives up
    :param settle: how long a stream must be open before it counts as up, and how long an event may be later than a
        snapshot before the stream counts as broken
    :param outage_notice: how long a stream must be down before its followers are told
    :param log_interval: pause between two looks at the log of a job that writes
    :param max_log_interval: the same for one that is quiet
    :param replay: how long a job set's history is read for one job at most
    :param log_tail: how long the rest of the log is tried for after the job's end
    :param result_tail: the same where the log has the result that a task wants
    :param budget_tail: how long the rest of the log waits for its turn after the job's end, before a worker prints it
    :param deadline_grace: how long a deadline that has passed waits for a word about the job when no source gives one
    :param explain_interval: pause between two requests for the scheduler's reason, doubling
    """

    linger: float = 60.0
    tick: float = 5.0
    gather: float = 0.005
    look_back: float = 30.0
    recent: float = 120.0
    first_back_off: float = 0.5
    max_back_off: float = 30.0
    idle: float = 86_400.0
    max_idle: float = 86_400.0
    snapshot_window: float = 0.5
    sweep_tick: float = 5.0
    sweep: float = 600.0
    max_sweep: float = 3600.0
    degraded_sweep: float = 15.0
    lost_grace: float = 300.0
    refused_grace: float = 900.0
    settle: float = 2.0
    outage_notice: float = 30.0
    log_interval: float = 1.0
    max_log_interval: float = 10.0
    replay: float = 30.0
    log_tail: float = 20.0
    result_tail: float = 600.0
    budget_tail: float = 60.0
    deadline_grace: float = 300.0
    explain_interval: float = 300.0


DEFAULT = Timings()
