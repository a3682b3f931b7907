"""Clients of the sites that a segment talks to, by their connection."""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING

from airflow_armada.hooks.armada import ArmadaHook, settings_for_task
from airflow_armada.task.submit.lookup import Lookup
from airflow_armada.task.submit.submission import Submission

if TYPE_CHECKING:
    from airflow_armada.task.kill import Kill
    from airflow_armada.task.submit.record import Journal


class Sites:
    """
    Opens a client of a connection when it is first wanted, and closes all at its end.

    Nearly always it is one; the job of an earlier try may have been submitted by another connection.

    :param journal: where submissions are noted.
    :param kill: tells whether the task was killed.
    """

    def __init__(self, journal: Journal, kill: Kill) -> None:
        self._journal = journal
        self._kill = kill
        self._open = ExitStack()
        self._sites: dict[str, tuple[Lookup, Submission]] = {}

    def __enter__(self) -> Sites:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def lookup(self, conn_id: str) -> Lookup:
        """Give what asks the site of a connection."""
        return self._site(conn_id)[0]

    def submission(self, conn_id: str) -> Submission:
        """Give what sends to the site of a connection."""
        return self._site(conn_id)[1]

    def submissions(self) -> dict[str, Submission]:
        """Give all that may have sent something, by their connections."""
        return {conn_id: submission for conn_id, (_, submission) in self._sites.items()}

    def _site(self, conn_id: str) -> tuple[Lookup, Submission]:
        from airflow_armada.client.client import ArmadaClient

        if conn_id not in self._sites:
            hook = ArmadaHook(conn_id)
            # Waiting is the lookup's and the submission's, which a kill ends; the client never waits beside them.
            client = self._open.enter_context(ArmadaClient.open(settings_for_task(hook), retry_timeout=0))
            lookup = Lookup(client, self._kill.wait)
            submission = Submission(lookup, hook.current_or_known_settings, self._journal, self._kill)
            self._sites[conn_id] = lookup, submission
        return self._sites[conn_id]
