"""The states of a job, which may follow which, and what cannot be done in one."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from node.errors import NodeError


class JobState(StrEnum):
    """Where a job is."""

    QUEUED = "QUEUED"  # waits for a worker
    RUNNING = "RUNNING"  # a worker is at it: gate, translate, write, check
    WRITTEN = "WRITTEN"  # derived objects lie in the job's folder, checked, not yet all sent
    SENT = "SENT"  # every destination has accepted every derived object
    COMMITTED = "COMMITTED"  # every destination has said, or shown, that it keeps them
    REFUSED = "REFUSED"  # out of the pipeline's scope; the reason says why
    HELD = "HELD"  # waits for a person: red quality, or a finding of our own check
    FAILED = "FAILED"  # tries used up, or an error that no repetition mends
    CANCELLED = "CANCELLED"  # a person stopped it


TRANSITIONS: Mapping[JobState, frozenset[JobState]] = {
    JobState.QUEUED: frozenset({JobState.RUNNING, JobState.CANCELLED, JobState.FAILED}),
    JobState.RUNNING: frozenset(
        {
            JobState.QUEUED,  # waits for its next try
            JobState.WRITTEN,
            JobState.REFUSED,
            JobState.HELD,
            JobState.FAILED,
            JobState.CANCELLED,
        }
    ),
    JobState.WRITTEN: frozenset(
        {
            JobState.RUNNING,  # the check is repeated: a crash came before it was recorded
            JobState.SENT,
            JobState.FAILED,
            JobState.CANCELLED,
        }
    ),
    JobState.SENT: frozenset({JobState.COMMITTED, JobState.FAILED, JobState.QUEUED}),
    JobState.COMMITTED: frozenset(),
    JobState.REFUSED: frozenset({JobState.QUEUED}),
    JobState.HELD: frozenset({JobState.QUEUED, JobState.CANCELLED}),
    JobState.FAILED: frozenset(
        {
            JobState.QUEUED,
            JobState.CANCELLED,
            JobState.COMMITTED,  # a step repeated after a kill: what was refused is taken
        }
    ),
    JobState.CANCELLED: frozenset({JobState.QUEUED}),
}
"""From each state to those that may follow it."""

RETRIABLE = frozenset({JobState.FAILED, JobState.REFUSED, JobState.CANCELLED, JobState.SENT})
"""States from which a person may start another run; HELD is released or cancelled instead."""

CANCELLABLE = frozenset(s for s in JobState if JobState.CANCELLED in TRANSITIONS[s])
UNDER_WAY = frozenset({JobState.QUEUED, JobState.RUNNING, JobState.WRITTEN, JobState.SENT})
"""States that a job leaves by itself; SENT may also be its last one, then `finished` is set."""

FINAL = frozenset(
    {
        JobState.COMMITTED,
        JobState.REFUSED,
        JobState.HELD,
        JobState.FAILED,
        JobState.CANCELLED,
    }
)
"""States that nothing but a person leaves; reaching one sets `finished`."""


class JobError(NodeError):
    """What is asked of a job cannot be done."""


class UnknownJob(JobError):  # noqa: N818 - reads as the sentence that it is
    """There is no job with that id."""

    def __init__(self, job_id: str) -> None:
        super().__init__(
            f"There is no job {job_id!r}, or several begin so; `vscanner jobs list` shows all."
        )


class WrongJobState(JobError):  # noqa: N818
    """The job is in a state that does not allow this."""

    def __init__(self, job_id: str, wanted: str, state: JobState) -> None:
        super().__init__(f"Job {job_id} cannot be {wanted}: it is {state}.")
        self.state = state


class UnknownSource(JobError):  # noqa: N818
    """A job names instances that the spool does not have."""
