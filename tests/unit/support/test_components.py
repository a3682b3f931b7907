"""Ports for the processes of a stack."""

from __future__ import annotations

import subprocess
import sys

from tests.support.components import free_port


def test_two_stacks_at_once_are_given_different_ports() -> None:
    ours = {free_port() for _ in range(400)}
    script = "from tests.support.components import free_port; print(*(free_port() for _ in range(400)))"

    theirs = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout.split()

    assert len(ours) == len(set(theirs)) == 400
    assert not ours & {int(port) for port in theirs}
