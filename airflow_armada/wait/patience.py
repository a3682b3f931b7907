"""How long a task waits: for what may pass, when it is killed, and before it submits a job again."""

from __future__ import annotations

from airflow_armada.client.patience import Patience

FOR_CALLS = Patience(outage=600.0, error=60.0, first=0.5, most=5.0)
"""For every call that a task waits for: Armada may be away for ten minutes, and answer with errors for one."""

AFTER_KILL = 3.0
"""Seconds that a task which is killed may take; Airflow kills the process 5 s after SIGTERM."""

BEFORE_RESUBMISSIONS = Patience(first=1.0, most=30.0)
"""The pauses before a job that ended through no fault of its own is submitted again."""
