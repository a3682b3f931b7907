"""
The job that a segment answers for until it has ended, or somebody else does.

From the moment in which a submission may have been accepted, every way out of the task hands the job on, to a trigger
or to the next try, or cancels it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from airflow_armada._compat import AirflowTaskTimeout
from airflow_armada.client.job_ref import JobRef
from airflow_armada.hooks.armada import ArmadaHook
from airflow_armada.task.kill import Kill
from airflow_armada.task.uninterrupted import begin, to_the_end
from airflow_armada.wait.cancel import KILLED, STOPPED_WAITING, TIMED_OUT, cancel
from airflow_armada.wait.job_wait import JobWait
from airflow_armada.wait.patience import AFTER_KILL

if TYPE_CHECKING:
    from airflow_armada.task.arguments.task_arguments import TaskArguments
    from airflow_armada.task.submit.sites import Sites
    from airflow_armada.task.submit.submission import Submission
    from airflow_armada.task.submit.takeover import Takeover

_OUTCOME_GRACE = 600.0  # s in which the answer to a submission, or the job that came of it, is waited for

log = logging.getLogger("airflow.task.operators.airflow_armada")


class UnfinishedJob:
    """
    Ends the job, or hands it on, when the task ends before it.

    :param kill: tells whether the task was killed.
    :param note_end: notes how a job ended, for the next try.
    :param next_try_adopts: whether another try takes over what this one leaves, by the error that ends it.
    :param arguments: the task's arguments.
    """

    def __init__(
        self,
        kill: Kill,
        note_end: Callable[[JobWait, str], None],
        next_try_adopts: Callable[[BaseException], bool],
        arguments: TaskArguments,
    ) -> None:
        self._kill = kill
        self._arguments = arguments
        self._note_end = note_end
        self._next_try_adopts = next_try_adopts
        self._wait: JobWait | None = None
        self._cancelled: set[JobRef] = set()

    def take(self, wait: JobWait) -> None:
        """Answer for a job from now on."""
        self._wait = wait

    def over(self) -> None:
        """The job has ended, or somebody else answers for it."""
        self._wait = None

    def on_kill(self) -> None:
        """
        Cancel the job because the task is killed; called from Airflow's signal handler at any moment.

        So nothing here may use the channel to Airflow's supervisor, which the main thread may be using at this moment.
        """
        wait = self._wait
        if wait is None or wait.job in self._cancelled:
            return
        if not wait.cancel_on_kill:
            log.info("The task was killed; Armada job %s keeps running (cancel_on_kill=False)", wait.job_id)
            return
        self._cancelled.add(wait.job)
        # In a thread: this process is about to be killed, and a server that is silent must not use up that time.
        arguments = (wait.job, ArmadaHook(wait.armada_conn_id).known_settings, KILLED)
        thread = threading.Thread(target=cancel, args=arguments, name="armada-cancel", daemon=True)
        thread.start()
        thread.join(AFTER_KILL)

    def end(self, reason: str, end: str) -> None:
        """
        Cancel the job, whatever Airflow's alarm does meanwhile.

        :param reason: given to Armada, at most 50 bytes.
        :param end: noted first, so that no retry takes over a job whose cancel is under way.
        """
        wait, self._wait = self._wait, None
        if wait is not None:
            self._note_end(wait, end)
            self.cancel([wait.job], wait.armada_conn_id, reason)

    def cancel(self, jobs: Sequence[JobRef], conn_id: str, reason: str) -> None:
        """
        Cancel jobs, whatever Airflow's alarm does meanwhile.

        :param jobs: the jobs.
        :param conn_id: the connection that they were submitted by.
        :param reason: given to Armada, at most 50 bytes.
        """
        wanted = [job for job in jobs if job not in self._cancelled]
        self._cancelled.update(wanted)
        settings = ArmadaHook(conn_id).current_or_known_settings

        def work() -> None:
            for job in wanted:
                cancel(job, settings, reason)

        if wanted:
            try:
                to_the_end(work, "armada-cancel")
            except AirflowTaskTimeout:
                log.warning("execution_timeout has passed while %s was cancelled", wanted[0].job_id)

    def leave(self, error: BaseException) -> None:
        """
        Decide about the job when the task ends.

        :param error: what ends it.
        """
        wait = self._wait
        if wait is None:
            return
        if not self._kill.came and not isinstance(error, AirflowTaskTimeout):
            if self._next_try_adopts(error):
                log.warning("Armada job %s is left to the next try", wait.job_id)
            else:
                self.end(STOPPED_WAITING, "killed")
        elif not wait.cancel_on_kill:
            log.info("Armada job %s keeps running (cancel_on_kill=False)", wait.job_id)
        elif self._kill.came:
            self.end(KILLED, "killed")
        else:
            self.end(TIMED_OUT, "timed_out")

    def leave_submissions(self, takeover: Takeover, sites: Sites, error: BaseException) -> None:
        """
        Decide about what may have been submitted when the task ends before it has its job.

        :param takeover: knows of jobs of earlier tries that were neither taken over nor ended yet.
        :param sites: where something may have been submitted.
        :param error: what ends the task.
        """
        if self._wait is not None:
            return  # it has its job: see leave()
        if self._kill.came:
            if not self._arguments.cancel_on_kill:
                return
        elif self._next_try_adopts(error):
            return
        seconds, reason = (AFTER_KILL, KILLED) if self._kill.came else (_OUTCOME_GRACE, STOPPED_WAITING)
        for conn_id, submission in sites.submissions().items():
            self.cancel(_outcome(submission, seconds), conn_id, reason)
        left = takeover.left
        if left is not None and left.job_id:
            self.cancel([left.job], left.armada_conn_id or self._arguments.armada_conn_id, reason)
        if not self._kill.came:
            self.cancel(_patient(takeover.late_jobs, "armada-late"), self._arguments.armada_conn_id, reason)


def _outcome(submission: Submission, seconds: float) -> list[JobRef]:
    if submission.unsettled is None:
        return []
    jobs = _patient(lambda: submission.outcome(seconds), "armada-outcome")
    if not jobs:
        client_id = submission.unsettled.client_id
        log.error("Whether Armada has made a job of this try is not known; its client id would be %s", client_id)
    return jobs


def _patient(look: Callable[[], list[JobRef]], name: str) -> list[JobRef]:
    """Look to the end, although Airflow's alarm comes meanwhile: the task ends with it in any case."""
    future = begin(look, name)
    while True:
        try:
            return future.result()
        except AirflowTaskTimeout:
            continue
