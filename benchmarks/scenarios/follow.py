"""Following 100 to 10,000 jobs: the stream, the followers, the restart."""

from __future__ import annotations

from typing import Any

from benchmarks import peer_env
from benchmarks.children import Service, measure
from benchmarks.measures.loops import EXPERIMENTAL, LOOPS
from benchmarks.plan import Plan
from benchmarks.report import Section, Table, Target
from benchmarks.stats import Sample
from benchmarks.svg import line_chart

Raw = dict[str, list[dict[str, Any]]]

RATE = 500.0
WAYS = {
    "our watch, jobs that nobody follows": "foreign",
    "our watch, every event folded into a job's state": "tracked",
    "our watch, every event has a follower say something": "followed",
}


def run(plan: Plan) -> Section:
    """Measure the receive loops, the followers at all sizes, polling, and the restart in a long history."""
    section = Section("follow", "Following jobs")
    _receive(plan, section)
    followers, polling = _followers(plan)
    _tell_followers(plan, section, followers, polling)
    _restart(plan, section)
    return section


def _receive(plan: Plan, section: Section) -> None:
    peer, jobs = peer_env.ensure(), plan.flood // 6
    raw: Raw = {}
    with Service("-m", "benchmarks.servers.replay_server", str(plan.flood), str(jobs)) as server:
        for _ in range(plan.runs):
            for loop in (*LOOPS, *EXPERIMENTAL):
                kind = "bare loop" if loop in LOOPS else "experimental loop"
                one = measure("benchmarks.measures.loops", target=server.target, loop=loop)
                raw.setdefault(f"{kind}, {loop}", []).append(one)
            held = {"target": server.held, "release": server.hello["release"], "events": plan.flood, "jobs": jobs}
            for name, way in WAYS.items():
                raw.setdefault(name, []).append(measure("benchmarks.measures.watch", way=way, **held))
            for loop in ("sync", "aio"):
                wanted = {"target": server.target, "events": plan.flood, "loop": loop}
                one = measure("benchmarks.measures.peer_stream", python=peer, **wanted)
                raw.setdefault(f"`armada-client`, {loop}", []).append(one)
    table = Table(
        f"A stream of {plan.flood} events of {jobs} jobs, as fast as it goes",
        ["receiver", "events/s", "CPU µs per event", "of it in the thread that takes them", "loop blocked at most, ms"],
    )
    for name, runs in raw.items():
        cells = [
            Sample.of(one[key] * factor for one in runs) if key in runs[0] else "-"
            for key, factor in (("rate", 1), ("us_per_event", 1), ("us_in_thread", 1), ("blocked", 1000))
        ]
        table.rows.append([name, *cells])
    section.tables.append(table)
    section.raw["receive"] = raw
    section.notes.append(
        "The stream is served from prepared HTTP/2 frames, so that the receiver is what limits. The bare loops do "
        "nothing with an event; `raw` does not even parse it. The mix is that of jobs that succeed: submitted, queued, "
        "leased, pending, running, succeeded. The followers of all jobs are there before the stream begins. The "
        "experimental loops (`SingleThreadedUnaryStream`) are what gRPC could do if no other of its threads handed "
        "messages over; they block a thread for each stream and exist for blocking code only, so a triggerer with a "
        "thousand job sets cannot use them, and the target does not count them."
    )
    _receive_targets(section, raw)
    _parts(plan, section)


def _parts(plan: Plan, section: Section) -> None:
    """Show where the time goes that a watch takes beyond a bare loop."""
    runs = [measure("benchmarks.measures.parts", events=plan.flood, jobs=plan.flood // 6) for _ in range(plan.runs)]
    table = Table("The parts of an event, without gRPC", ["part", "CPU µs per event"])
    table.rows += [[part, Sample.of(one[part] for one in runs)] for part in runs[0]]
    section.tables.append(table)
    section.raw["parts"] = runs
    section.notes.append(
        "gRPC itself is most of an event: its asyncio stream hands over one message at a time, through a thread of its "
        "own and two turns of the event loop. Reading in a thread, or by `read()`, costs no less. What the watch adds "
        "is in the table of the parts. Tried and kept: messages without the job's specification (half the parsing), "
        "states as named tuples with a cheaper replacement than `_replace` (half of the folding), taking up to 200 "
        "events of 5 ms together instead of each between two steps of gRPC (a fifth of the whole), followers that are "
        "called instead of woken as tasks (a third of what was left). Tried and dropped: smaller batches, opening "
        "events by `ListFields`, messages without the fields that the fold does not read: no difference to be seen."
    )


def _receive_targets(section: Section, raw: Raw) -> None:
    best = max(Sample.of(one["rate"] for one in runs).median for name, runs in raw.items() if name.startswith("bare"))
    for name in WAYS:
        share = Sample.of(one["rate"] for one in raw[name]).median / best
        section.targets.append(Target(f"{name}: rate, as a share of the best bare loop's", share, 0.7, at_least=True))
    blocked = max(one["worked"] for name in WAYS for one in raw[name]) * 1000
    section.targets.append(Target("the loop blocked by the flood", blocked, 50, "ms"))


def _kinds(jobs: int) -> list[str]:
    """Return the events that each job gets: fewer of them where there are many jobs, so that it ends in time."""
    life = ["leased", "pending", "running", "succeeded"]
    return life[-min(4, max(1, round(10_000 / jobs))) :]


def _followers(plan: Plan) -> tuple[dict[tuple[int, int], list[dict[str, Any]]], dict[int, list[dict[str, Any]]]]:
    peer = peer_env.ensure()
    followers: dict[tuple[int, int], list[dict[str, Any]]] = {}
    polling: dict[int, list[dict[str, Any]]] = {}
    with Service("-m", "benchmarks.servers.event_server") as server:
        for number in range(plan.runs):
            for jobs in plan.sizes:
                for sets in (1, min(plan.many_sets, jobs)):
                    wanted = {"target": server.target, "jobs": jobs, "job_sets": sets, "kinds": _kinds(jobs)}
                    one = measure("benchmarks.measures.followers", rate=RATE, **wanted)
                    followers.setdefault((jobs, sets), []).append(one)
                if number == 0 and jobs > 100:
                    wanted = {"target": server.target, "jobs": jobs, "kinds": _kinds(jobs), "rate": RATE}
                    one = measure("benchmarks.measures.polling", python=peer, interval=plan.poll_interval, **wanted)
                    polling.setdefault(jobs, []).append(one)
    return followers, polling


def _tell_followers(
    plan: Plan,
    section: Section,
    followers: dict[tuple[int, int], list[dict[str, Any]]],
    polling: dict[int, list[dict[str, Any]]],
) -> None:
    section.notes.append(
        "Followers are started all at once, as by a restarted triggerer, for jobs submitted an hour ago; then the jobs "
        f"go on to their end at {RATE:g} events a second. Woken: from the event's being sent to the follower's line or "
        "end. Memory beyond a task that only waits. Calls without the submit. CPU per event is of a process that is "
        "mostly idle, where each event is a wake-up of its own. Blocked: the longest CPU time between two turns of the "
        "loop, Python's garbage collection apart; that one looks at all objects of a process at once, and in a "
        "triggerer belongs to all that runs there."
    )
    columns = ["jobs in sets", "calls per job", "streams per set", "woken p50 ms", "woken p99 ms", "CPU µs per event"]
    table = Table("Following", [*columns, "KiB per job", "start s", "idle CPU %", "loop blocked ms", "and by GC, ms"])
    for (jobs, sets), runs in followers.items():
        table.rows.append(
            [
                f"{jobs} in {sets}",
                Sample.of(one["calls_per_job"] for one in runs),
                Sample.of(one["streams_per_set"] for one in runs),
                Sample.of(one["p50"] * 1000 for one in runs),
                Sample.of(one["p99"] * 1000 for one in runs),
                Sample.of(one["us_per_event"] for one in runs),
                Sample.of(_kib(one) for one in runs),
                Sample.of(one["start_wall"] for one in runs),
                Sample.of(one["idle_cpu_share"] * 100 for one in runs),
                Sample.of(max(one["worked"], one["start_worked"]) * 1000 for one in runs),
                Sample.of(max(one["collected"], one["start_collected"]) * 1000 for one in runs),
            ]
        )
    polled = Table(
        f"Polling each job every {plan.poll_interval:g} s with `armada-client`",
        ["jobs", "calls per job", "noticed p50 s", "noticed p99 s", "CPU ms per job"],
    )
    for jobs, runs in polling.items():
        cells = [Sample.of(one[key] for one in runs) for key in ("calls_per_job", "p50", "p99", "ms_per_job")]
        polled.rows.append([str(jobs), *cells])
    section.tables += [table, polled]
    section.raw |= {"followers": [one for runs in followers.values() for one in runs], "polling": polling}
    _follow_targets(section, followers)
    section.plots |= _plots(followers)


def _kib(one: dict[str, Any]) -> float:
    return (float(one["bytes_per_job"]) - float(one["floor_bytes_per_job"])) / 1024


def _follow_targets(section: Section, followers: dict[tuple[int, int], list[dict[str, Any]]]) -> None:
    def worst(name: str, among: list[list[dict[str, Any]]]) -> float:
        return max(Sample.of(one[name] for one in runs).median for runs in among)

    everything = list(followers.values())
    shared = [runs for (jobs, sets), runs in followers.items() if sets < jobs]
    most = max(jobs for jobs, _ in followers)
    largest = [runs for (jobs, _), runs in followers.items() if jobs == most]
    kib = max(Sample.of(_kib(one) for one in runs).median for runs in largest)
    section.targets += [
        Target("event-stream calls per job set", worst("streams_per_set", everything), 1.05),
        Target("calls per job, its submit included, several jobs in a set", 1 + worst("calls_per_job", shared), 2),
        Target(f"woken after the event, {most} jobs, p50", worst("p50", largest) * 1000, 20, "ms"),
        Target(f"woken after the event, {most} jobs, p99", worst("p99", largest) * 1000, 200, "ms"),
        Target(f"memory per followed job, {most} jobs", kib, 8, "KiB"),
        Target("the loop blocked by a start or by events", worst("worked", everything) * 1000, 50, "ms"),
        Target("the loop blocked by the start", worst("start_worked", everything) * 1000, 50, "ms"),
    ]


def _plots(followers: dict[tuple[int, int], list[dict[str, Any]]]) -> dict[str, str]:
    def line(many: bool, figure: Any) -> list[tuple[float, float]]:
        return [
            (jobs, Sample.of(figure(one) for one in runs).median)
            for (jobs, sets), runs in followers.items()
            if (sets > 1) == many
        ]

    def chart(title: str, unit: str, figure: Any) -> str:
        series = {"1 job set": line(False, figure), "many job sets": line(True, figure)}
        return line_chart(title, "jobs followed", unit, series, log_x=True)

    return {
        "follow-cpu.svg": chart("CPU per event against the number of jobs", "µs", lambda one: one["us_per_event"]),
        "follow-memory.svg": chart("Memory per job against the number of jobs", "KiB", _kib),
        "follow-start.svg": chart("Start per job", "CPU ms", lambda one: one["start_cpu"] / one["jobs"] * 1000),
        "follow-calls.svg": chart("Calls per job, without the submit", "calls", lambda one: one["calls_per_job"]),
    }


def _restart(plan: Plan, section: Section) -> None:
    raw: Raw = {}
    jobs = min(1_000, plan.sizes[-1])
    with Service("-m", "benchmarks.servers.event_server") as server:
        for _ in range(plan.runs):
            for history in (0, plan.history):
                wanted = {"target": server.target, "jobs": jobs, "job_sets": 1, "kinds": [], "history": history}
                raw.setdefault(str(history), []).append(measure("benchmarks.measures.followers", **wanted))
    table = Table(f"Restart with {jobs} followers", ["events in the job set's history", "s", "CPU s"])
    for history, runs in raw.items():
        walls, cpus = Sample.of(one["start_wall"] for one in runs), Sample.of(one["start_cpu"] for one in runs)
        table.rows.append([history, walls, cpus])
    without, with_history = (Sample.of(one["start_wall"] for one in runs).median for runs in raw.values())
    section.tables.append(table)
    section.raw["restart"] = raw
    section.targets.append(Target(f"{plan.history} events of history add to a restart", with_history - without, 1, "s"))
