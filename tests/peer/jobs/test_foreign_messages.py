"""Messages made with ``armada-client`` are accepted wherever ours are."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.peer

ROOT = Path(__file__).parents[3]
ONE = {"cpu": "1", "memory": "1Gi"}
SPEC = {
    "containers": [
        {
            "name": "base",
            "image": "alpine",
            "env": [{"name": "A", "value": "1"}],
            "resources": {"requests": ONE, "limits": ONE},
        }
    ],
    "terminationGracePeriodSeconds": 0,
}


def test_messages_of_another_package(peer_python: str) -> None:
    script = ROOT / "tests" / "peer" / "scripts" / "forms.py"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([peer_python, str(script)], env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert made["item"] == {"namespace": "n", "priority": 2, "labels": {"a": "b"}, "podSpec": SPEC}
    assert made["request"] == made["item"]
    assert made["spec"] == {"namespace": "default", "podSpec": SPEC}
    assert made["in a mapping"] == {"namespace": "n", "podSpec": SPEC}
    assert made["as an argument"]["podSpec"]["tolerations"] == [{"key": "k"}]
    assert made["as an argument"]["podSpec"]["containers"][0]["env"] == [{"name": "A", "value": "1"}]
