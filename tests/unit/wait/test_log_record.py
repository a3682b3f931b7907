"""Lines of a job look the same whichever version of the provider has written them."""

from __future__ import annotations

import structlog
from structlog.processors import CallsiteParameter, CallsiteParameterAdder
from structlog.testing import LogCapture

from airflow_armada.wait.log_record import LogRecord


def test_where_a_line_is_written_never_changes() -> None:
    """Airflow notes it with each line, and shows a line twice after a take-over where the two places differ."""
    before, captured = structlog.get_config(), LogCapture()
    place = CallsiteParameterAdder([CallsiteParameter.FILENAME, CallsiteParameter.LINENO])
    # Airflow's own kind of logger, which another test may have set up, is a place of its own.
    structlog.configure(processors=[place, captured], wrapper_class=structlog.make_filtering_bound_logger(0))
    try:
        LogRecord("armada.pod", "2026-11-27T12:00:00Z", "a line").write()
    finally:
        structlog.configure(**before)

    (entry,) = captured.entries
    assert (entry["filename"], entry["lineno"]) == ("log_record.py", 39)
