"""Keeping credentials out of gRPC's own traces.

Of its tracers, "api" prints the headers of every call as they are; all others redact them (seen in 1.62 to 1.85).
"""

from __future__ import annotations

import logging
import os
import sys
from fnmatch import fnmatchcase

logger = logging.getLogger(__name__)

VARIABLE = "GRPC_TRACE"


def shows_headers(tracers: str) -> bool:
    """
    Tell whether gRPC would print the headers of calls.

    :param tracers: the value of ``GRPC_TRACE``: names and patterns, "-" before those to leave out; the last one wins.
    """
    shown = False
    for name in tracers.split(","):
        pattern = "*" if name.lstrip("-") == "all" else name.lstrip("-")
        if fnmatchcase("api", pattern):
            shown = not name.startswith("-")
    return shown


def silence() -> None:
    """Leave "api" out of what gRPC is asked to trace, as long as gRPC has not read it: that happens at its import."""
    tracers = os.environ.get(VARIABLE, "")
    if shows_headers(tracers) and "grpc" not in sys.modules:
        os.environ[VARIABLE] = f"{tracers},-api"
        logger.warning("%s is used without its tracer api, which would print credentials", VARIABLE)


def exposed() -> bool:
    """Tell whether gRPC prints headers, because somebody else imported it first."""
    return shows_headers(os.environ.get(VARIABLE, ""))
