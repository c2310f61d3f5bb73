"""May this work go on? Asked now and then by long steps, so that a cancelled job stops soon."""

from __future__ import annotations

import time
from collections.abc import Callable

from node.jobs.ledger import Job, JobLedger, JobState

ASK_EVERY_S = 0.5


class JobStopped(BaseException):
    """The job was cancelled, or another run or worker has it now."""


class Watch:
    """Reports the progress of a step, and stops it when the job is no longer ours to do.

    Args:
        ledger: the jobs.
        job: as it was when the step began.
        alive: false when other workers have taken our jobs over.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        ledger: JobLedger,
        job: Job,
        alive: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger = ledger
        self._job = job
        self._alive = alive
        self._clock = clock
        self._asked = clock()

    def progress(self, done: int, total: int) -> None:
        """Note how far the step is, at most every half second; see `ask`."""
        if self._due():
            self._ledger.update(self._job.id, progress=done / max(total, 1))
            self.ask()

    def __call__(self) -> None:
        """See `ask`, at most every half second."""
        if self._due():
            self.ask()

    def ask(self) -> Job:
        """The job as it is now.

        Raises:
            JobStopped: it was cancelled, is another run's, or this worker counts as dead.
        """
        job = self._ledger.require(self._job.id)
        if job.run != self._job.run or job.state is JobState.CANCELLED or not self._alive():
            raise JobStopped
        return job

    def _due(self) -> bool:
        now = self._clock()
        if now - self._asked < ASK_EVERY_S:
            return False
        self._asked = now
        return True
