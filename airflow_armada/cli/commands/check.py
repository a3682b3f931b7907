"""``airflow-armada check``."""

from __future__ import annotations

from argparse import Namespace

from airflow_armada.cli.output import BAD, OK, Output
from airflow_armada.cli.site import settings_from
from airflow_armada.client.foreign_text import printable
from airflow_armada.client.site.diagnose import diagnose

_MARKS = {"ok": "ok", "warning": "warning", "failed": "FAILED", "skipped": "skipped"}


def check(arguments: Namespace, output: Output) -> int:
    """Show what works and what does not."""
    diagnosis = diagnose(settings_from(arguments), arguments.queue)
    rows = [(_MARKS[found.status], found.check, found.text) for found in diagnosis.findings]
    output.table(("RESULT", "WHAT", "FOUND"), rows)
    for found in diagnosis.findings:
        if found.fix:
            output.line(printable(f"{found.check}: {found.fix}"))
    output.value(diagnosis.to_dict())
    return OK if diagnosis.ok else BAD
