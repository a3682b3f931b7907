"""The environment of the peer: ``armada-airflow`` on the newest Airflow that it admits, in ``.venv-bench-peer``."""

from __future__ import annotations

import os
from pathlib import Path

from scripts.environment import ROOT, Environment, make

# fastapi 0.137 breaks the API server of Airflow 3.2.2 at start.
PEER = Environment(
    ROOT / ".venv-bench-peer",
    ("armada-airflow==1.1.3", "armada-client==0.5.1", "apache-airflow==3.2.2", "fastapi<0.137"),
    Path(__file__).with_name("peer-constraints.txt"),
)


def ensure() -> Path:
    """Make the environment unless it is there, and return its Python interpreter."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["UV_COMPILE_BYTECODE"] = "1"
    make(PEER)
    return PEER.python


if __name__ == "__main__":
    print(ensure())
