"""A private PostgreSQL on loopback, for tests in which SQLite's locking would hide or invent faults."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support.components import free_port, wait_until


def find_postgres() -> Path | None:
    """Return the folder with ``initdb`` and ``postgres``, or None where PostgreSQL is not installed."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "postgres").exists()), None)


def _other_user() -> str | None:
    """Return whom to run the server as, if not as oneself: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


@contextmanager
def airflow_database() -> Iterator[str]:
    """Give the URL of a private PostgreSQL where it is installed, as in CI: SQLite takes one writer at a time.

    :return: what :class:`~tests.support.airflow_stack.AirflowStack` takes as ``database_url``; "" stands for SQLite
    """
    if find_postgres() is None:
        yield ""
    else:
        with private_postgres() as url:
            yield url


@contextmanager
def private_postgres(settings: Mapping[str, str] | None = None) -> Iterator[str]:
    """Run a new PostgreSQL cluster while the block lasts.

    :param settings: Server settings beyond the ones made here.
    :return: The SQLAlchemy URL of its empty database.
    :raises RuntimeError: when PostgreSQL is not installed or does not start.
    """
    binaries = find_postgres()
    if binaries is None:
        raise RuntimeError("PostgreSQL is not installed: initdb is neither on PATH nor in /usr/lib/postgresql")
    folder = Path(tempfile.mkdtemp(prefix="airflow-armada-postgres-"))
    user = _other_user()
    try:
        if user:
            shutil.chown(folder, user)
        _create_cluster(binaries, folder, user)
        server, port = _serve(binaries, folder, user, dict(settings or {}))
        try:
            yield f"postgresql+psycopg2://airflow@127.0.0.1:{port}/postgres"
        finally:
            server.send_signal(signal.SIGQUIT)
            server.wait(30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _create_cluster(binaries: Path, folder: Path, user: str | None) -> None:
    command = f"{binaries / 'initdb'} --username airflow --auth trust --no-sync --encoding UTF8 --locale C --pgdata"
    done = subprocess.run(
        [*command.split(), str(folder / "data")],
        cwd=folder,
        user=user,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"initdb failed:\n{done.stdout}")


def _serve(
    binaries: Path, folder: Path, user: str | None, settings: dict[str, str], attempts: int = 3
) -> tuple[subprocess.Popen[bytes], int]:
    """Start the server and wait until it answers; a port that somebody has taken meanwhile gives way."""
    for _ in range(attempts):
        port = free_port()
        server = _start(binaries, folder, user, port, settings)
        ready = [str(binaries / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
        wait_until(
            lambda: server.poll() is not None or subprocess.run(ready, check=False).returncode == 0,  # noqa: B023
            f"PostgreSQL in {folder}",
            60,
        )
        if server.poll() is None:
            return server, port
    raise RuntimeError(f"PostgreSQL does not start:\n{(folder / 'server.log').read_text()}")


def _start(
    binaries: Path, folder: Path, user: str | None, port: int, settings: dict[str, str]
) -> subprocess.Popen[bytes]:
    wanted = {
        "port": str(port),
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": str(folder),
        "fsync": "off",
        "max_connections": "300",
        **settings,
    }
    options = [part for name, value in wanted.items() for part in ("-c", f"{name}={value}")]
    with (folder / "server.log").open("wb") as log:
        return subprocess.Popen(
            [str(binaries / "postgres"), "-D", str(folder / "data"), *options],
            cwd=folder,
            user=user,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
