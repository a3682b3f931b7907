"""Operators defer unless somebody really said otherwise."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = "from airflow_armada._compat import default_deferrable; print(default_deferrable())"


@pytest.mark.parametrize(("said", "deferrable"), [(None, "True"), ("True", "True"), ("False", "False")])
def test_only_the_environment_can_say_no(tmp_path: Path, said: str | None, deferrable: str) -> None:
    """Airflow generates such a file when there is none."""
    environment = {"AIRFLOW_HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    if said:
        environment["AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE"] = said
    (tmp_path / "airflow.cfg").write_text("[operators]\ndefault_deferrable = false\n")

    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == deferrable
