"""The command ``armada-standalone``."""

from __future__ import annotations

import argparse
import getpass
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from airflow_armada.api.quantity import parse_quantity
from airflow_armada.standalone.auth import Credentials
from airflow_armada.standalone.config import SITES, Config, Provided, Simulation
from airflow_armada.standalone.runner.simulation import parse_duration
from airflow_armada.standalone.server import StandaloneArmada


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="armada-standalone",
        description="Serve the Armada API on this machine's loopback interface and run jobs as local processes.",
    )
    parser.add_argument("--port", type=int, default=50051, help="TCP port, 0 for any free one (default: 50051)")
    parser.add_argument(
        "--queue", action="append", default=[], metavar="NAME", help="create this queue; may be repeated"
    )
    parser.add_argument("--cpus", help="cores that jobs may request in all, such as 8 (default: the machine's)")
    parser.add_argument("--memory", help="memory that jobs may request in all, such as 16Gi (default: the machine's)")
    parser.add_argument("--work-dir", help="folder for the jobs' private folders (default: a temporary one)")
    parser.add_argument(
        "--site",
        choices=sorted(SITES),
        default="default",
        help="whose priority classes there are: those that Armada ships, or a site's own",
    )
    parser.add_argument(
        "--cycle", type=float, default=Config.cycle, help="seconds between scheduling rounds (default: %(default)s)"
    )
    cluster = parser.add_argument_group("what the cluster has")
    cluster.add_argument(
        "--resource", action="append", default=[], metavar="NAME=AMOUNT", help="a further resource: nvidia.com/gpu=4"
    )
    cluster.add_argument(
        "--config-map", action="append", default=[], metavar="NAME=FOLDER", help="a config map: the files of a folder"
    )
    cluster.add_argument(
        "--secret", action="append", default=[], metavar="NAME=FOLDER", help="a secret: the files of a folder"
    )
    cluster.add_argument(
        "--allow-host-path", action="append", default=[], metavar="PATH", help="let hostPath volumes lead there"
    )
    cluster.add_argument(
        "--namespace", action="append", default=[], metavar="NAME", help="a namespace (default: all that are asked for)"
    )
    cluster.add_argument(
        "--error-categories",
        metavar="FILE",
        help="YAML: what an executor's configuration has as errorCategories; retry policies go by these categories",
    )
    simulation = parser.add_argument_group(
        "simulation",
        "No process is started: pods only last. A job's annotations simulate/duration, simulate/exit-code, "
        "simulate/output and simulate/end (exit, oom, evicted, preempted) go before these rules.",
    )
    add = simulation.add_argument
    add("--simulate", action="store_true", help="simulate the pods")
    add("--pod-duration", default="10", metavar="SECONDS", help="how long pods run, such as 10 or 5-30 (default: 10)")
    add("--failure-rate", type=float, default=0.0, metavar="PART", help="part of the pods that fail")
    add("--preemption-rate", type=float, default=0.0, metavar="PART", help="part of the preemptible that are preempted")
    add("--speed", type=float, default=1.0, help="how many of a pod's seconds pass in one (default: 1)")
    add("--seed", type=int, default=0, help="of what is left to chance (default: 0)")
    callers = parser.add_argument_group(
        "who may call",
        "Who may call may run commands as this user. By default those may who know a random token; the connections and "
        "the command line of this package find it by themselves when they run as the same user on this machine.",
    )
    callers.add_argument("--token-file", metavar="FILE", help="let in only callers with the bearer token in this file")
    callers.add_argument(
        "--basic-file", metavar="FILE", help="let in only callers with the user:password in one of this file's lines"
    )
    callers.add_argument(
        "--anonymous", action="store_true", help="let everybody in: every local user can run commands as this user"
    )
    return parser


def _pairs(options: Sequence[str]) -> list[tuple[str, str]]:
    """Split ``NAME=VALUE``.

    :raises ValueError: one of them is not of that form
    """
    pairs = [option.partition("=") for option in options]
    for name, equals, value in pairs:
        if not (name and equals and value):
            raise ValueError(f"{name + equals + value!r} is not NAME=VALUE")
    return [(name, value) for name, _, value in pairs]


def _files(folder: str) -> dict[str, str]:
    return {path.name: path.read_text("utf-8") for path in Path(folder).iterdir() if path.is_file()}


def _error_categories(path: str) -> Mapping[str, Any]:
    """Read the categories of failures.

    :raises ValueError: the file does not hold any
    """
    try:
        data = yaml.safe_load(Path(path).read_text("utf-8"))
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if isinstance(data, Mapping):
        data = data.get("errorCategories", data)
    if not isinstance(data, Mapping):
        raise ValueError(f"{path} holds no errorCategories")
    return data


def _simulation(options: argparse.Namespace) -> Simulation | None:
    """Return how pods are simulated, or None if they are not.

    :raises ValueError: a rule makes no sense
    """
    if not options.simulate:
        return None
    parse_duration(options.pod_duration)
    for name in ("failure_rate", "preemption_rate"):
        if not 0 <= getattr(options, name) <= 1:
            raise ValueError(f"--{name.replace('_', '-')} must be from 0 to 1")
    if not options.speed > 0:
        raise ValueError("--speed must be more than 0")
    return Simulation(
        duration=options.pod_duration,
        failures=options.failure_rate,
        preemptions=options.preemption_rate,
        speed=options.speed,
        seed=options.seed,
    )


def _credentials(options: argparse.Namespace) -> Credentials | None:
    """Return whom to let in, or None for the default.

    :raises ValueError: a file holds nothing that anybody could show
    """
    if options.anonymous:
        if options.token_file or options.basic_file:
            raise ValueError("--anonymous lets everybody in: leave out --token-file and --basic-file")
        return Credentials(anonymous=True)
    tokens = {_token(options.token_file): "token"} if options.token_file else {}
    users = _users(options.basic_file) if options.basic_file else {}
    return Credentials(users=users, tokens=tokens) if users or tokens else None


def _token(path: str) -> str:
    token = Path(path).read_text("utf-8").strip()
    if not token or any(not "!" <= character <= "~" for character in token):
        raise ValueError(f"the token file {path} must hold one token, of visible ASCII characters without spaces")
    return token


def _users(path: str) -> dict[str, str]:
    users = {}
    for number, line in enumerate(Path(path).read_text("utf-8").splitlines(), start=1):
        user, _, password = line.strip().partition(":")
        if line.strip() and not (user and password):
            raise ValueError(f"line {number} of {path} is not user:password")
        users[user] = password
    users.pop("", None)
    if not users:
        raise ValueError(f"the file {path} holds no user:password")
    return users


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM.

    :param arguments: the command line, by default the process's own
    :return: the exit code
    """
    options = _parser().parse_args(arguments)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        server = StandaloneArmada(
            options.port,
            work_dir=options.work_dir,
            cpus=options.cpus,
            memory=options.memory,
            credentials=_credentials(options),
            simulate=_simulation(options) or False,
            config=Config(
                cycle=options.cycle,
                priority_classes=SITES[options.site],
                resources={name: parse_quantity(amount) for name, amount in _pairs(options.resource)},
                provided=Provided(
                    config_maps={name: _files(folder) for name, folder in _pairs(options.config_map)},
                    secrets={name: _files(folder) for name, folder in _pairs(options.secret)},
                    host_paths=tuple(options.allow_host_path),
                    namespaces=frozenset(options.namespace),
                ),
                error_categories=_error_categories(options.error_categories) if options.error_categories else {},
            ),
        ).start()
    except (OSError, ValueError) as error:
        print(f"armada-standalone: {error}", file=sys.stderr)
        return 1
    for name in options.queue:
        server.create_queue(name)
    if options.anonymous:
        print(f"WARNING: every user of this machine can run commands as {getpass.getuser()} now", file=sys.stderr)
    print(f"armada-standalone is ready on {server.target}", flush=True)
    stop.wait()
    server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
