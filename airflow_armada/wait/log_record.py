"""
One line of a task log.

Airflow notes with each line which file and line of code it comes from. What two triggerers have written it shows once,
where the two agree in everything. So what writes stays where it is, in this file and on its line: after an upgrade of
the provider a triggerer takes tasks over from one that runs the version before.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LogRecord:
    """
    A line of the task log.

    :param logger: name of the logger.
    :param timestamp: RFC 3339 time; Airflow sorts by it, and its worker refuses anything else.
    :param text: the line.
    :param container: name of the container that wrote it; empty where there is only one.
    :param level: ``info``, ``warning`` or ``error``.
    """

    logger: str
    timestamp: str
    text: str
    container: str = ""
    level: str = "info"

    def write(self) -> None:
        """Hand the line to Airflow's logging."""
        import structlog

        fields = {"container": self.container} if self.container else {}
        # As an argument, so that a percent sign or brace in the job's output stays what it is.
        log = getattr(structlog.get_logger(self.logger), self.level)
        log("%s", self.text, timestamp=self.timestamp, **fields)
