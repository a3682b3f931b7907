"""Tests against the published ``armada-client``, which lives in an environment of its own: it pins grpcio exactly."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(scope="session")
def peer_python() -> str:
    """The interpreter of the environment that holds ``armada-client``; ``make test`` sets it."""
    python = os.environ.get("ARMADA_PEER_PYTHON", "")
    if not python:
        pytest.skip("ARMADA_PEER_PYTHON names no interpreter with armada-client (make test sets it)")
    return python
