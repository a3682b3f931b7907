"""The command ``armada-standalone``."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Sequence

from airflow_armada.standalone.auth import Credentials
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
    parser.add_argument("--token-file", metavar="FILE", help="let in only callers with the bearer token in this file")
    parser.add_argument(
        "--basic-file", metavar="FILE", help="let in only callers with the user:password in one of this file's lines"
    )
    return parser


def _credentials(token_file: str | None, basic_file: str | None) -> Credentials:
    users, tokens = {}, {}
    if token_file:
        with open(token_file, encoding="utf-8") as file:
            tokens[file.read().strip()] = "token"
    if basic_file:
        with open(basic_file, encoding="utf-8") as file:
            lines = (line.strip().partition(":") for line in file if line.strip())
            users = {user: password for user, _, password in lines}
    return Credentials(users=users, tokens=tokens)


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
            credentials=_credentials(options.token_file, options.basic_file),
        ).start()
    except (OSError, ValueError) as error:
        print(f"armada-standalone: {error}", file=sys.stderr)
        return 1
    for name in options.queue:
        server.create_queue(name)
    print(f"armada-standalone is ready on {server.target}", flush=True)
    stop.wait()
    server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
