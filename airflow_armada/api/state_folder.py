"""Where the programs of this package keep what a user's own processes share, such as tokens."""

from __future__ import annotations

import os
from pathlib import Path


def state_folder() -> Path:
    """Return the package's folder in the user's state directory (XDG), so that every process of a user agrees."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state", "airflow-armada")
