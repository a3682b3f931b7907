"""A StatsD server as far as tests need it: a UDP socket that keeps what it is sent."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PREFIX = "airflow"


class StatsdListener:
    """Keeps the lines that it is sent: name, value and kind as StatsD has them, tags where the sender knows any."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._read, daemon=True)
        self.lines: list[str] = []

    def __enter__(self) -> StatsdListener:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"", self._socket.getsockname())
        self._thread.join(10)
        self._socket.close()

    def names(self) -> set[str]:
        """Return the names of the provider's metrics, without Airflow's prefix."""
        names = {line.partition(":")[0].removeprefix(f"{PREFIX}.") for line in list(self.lines)}
        return {name for name in names if name.startswith("armada.")}

    def environment(self, folder: Path) -> dict[str, str]:
        """Return the settings with which Airflow sends its metrics here.

        :param folder: for a file that lets Airflow find the clients of StatsD, which have an environment of their own
        """
        packages = sorted(ROOT.glob(".venv-statsd/lib/python*/site-packages"))
        if not packages:
            pytest.skip("the clients of StatsD are missing: make environments")
        folder.mkdir(exist_ok=True)
        # At the end of the path, so that nothing of Airflow's own environment is replaced.
        (folder / "sitecustomize.py").write_text(f"import sys\nsys.path.append({str(packages[0])!r})\n")
        return {
            "AIRFLOW__METRICS__STATSD_ON": "True",
            "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
            "AIRFLOW__METRICS__STATSD_PORT": str(self._socket.getsockname()[1]),
            "AIRFLOW__METRICS__STATSD_PREFIX": PREFIX,
            "PYTHONPATH": str(folder),
        }

    def _read(self) -> None:
        while data := self._socket.recv(65_536):
            self.lines += data.decode().splitlines()
