"""The ledger of jobs: what is to be made of which series, and how far it has come.

The `jobs` row is the truth about a job. Assembly creates it, workers move it on, people retry,
release or cancel it. Nothing here knows DBOS: workers take up the rows that wait
(`JobLedger.waiting`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from node.database.tables import insert_into, instances, jobs, past_jobs
from node.jobs.records import PRIORITIES, Job, JobRequest, job_id
from node.jobs.states import (
    CANCELLABLE,
    FINAL,
    RETRIABLE,
    TRANSITIONS,
    UNDER_WAY,
    JobError,
    JobState,
    UnknownJob,
    UnknownSource,
    WrongJobState,
)

__all__ = [
    "CANCELLABLE",
    "PRIORITIES",
    "RETRIABLE",
    "Job",
    "JobLedger",
    "JobRequest",
    "JobState",
    "UnknownJob",
    "UnknownSource",
    "WrongJobState",
]

UIDS_IN_ONE_QUERY = 500
"""SQLite takes at most 999 values in one statement in its oldest builds."""


class JobLedger:
    """Reads and writes the table `jobs`. Every change is one statement that checks the state."""

    def __init__(self, database: Engine) -> None:
        self.database = database

    def create(
        self, request: JobRequest, state: JobState = JobState.QUEUED, reason: str = ""
    ) -> tuple[Job, bool]:
        """Make the job of these inputs, unless it is there already.

        Args:
            request: what is asked for.
            state: QUEUED, or REFUSED (HELD) when the gate has said so from the headers.
            reason: the sentence that goes with REFUSED or HELD.

        Returns:
            The job, and whether it was made now.
        """
        with self.database.begin() as connection:
            digests = _source_digests(connection, request)
            row = _first_row(request, job_id(request, digests), state, reason)
            insert = insert_into(connection, jobs).values(row).on_conflict_do_nothing()
            made = connection.execute(insert).rowcount == 1
        return self.require(row["id"]), made

    def get(self, job_id: str) -> Job | None:
        """The job of that id, if there is one."""
        with self.database.connect() as connection:
            return _select(connection, job_id)

    def require(self, job_id: str) -> Job:
        """The job of that id; `UnknownJob` otherwise."""
        job = self.get(job_id)
        if job is None:
            raise UnknownJob(job_id)
        return job

    def first_made(self, job: Job) -> datetime:
        """When a job was made the first time: an earlier row of it may have been forgotten.

        Derived objects say this time: made again, they are the same to the byte.
        """
        query = sa.select(past_jobs.c.created).where(past_jobs.c.id == job.id)
        with self.database.connect() as connection:
            return connection.scalar(query) or job.created

    def find(self, beginning: str) -> Job:
        """The one job whose id begins so; `UnknownJob` when there is none, or more than one."""
        query = sa.select(jobs).where(jobs.c.id.startswith(beginning, autoescape=True)).limit(2)
        with self.database.connect() as connection:
            found = connection.execute(query).all()
        if len(found) != 1 or not beginning:
            raise UnknownJob(beginning)
        return _job(found[0])

    def list(
        self, state: JobState | None = None, limit: int = 100, offset: int = 0, model: str = ""
    ) -> list[Job]:
        """Jobs, the newest first; of one state or one model (name@version) when given."""
        query = sa.select(jobs).order_by(jobs.c.created.desc(), jobs.c.id)
        if state is not None:
            query = query.where(jobs.c.state == state)
        if model:
            query = query.where(jobs.c.model == model)
        with self.database.connect() as connection:
            return [_job(row) for row in connection.execute(query.limit(limit).offset(offset))]

    def waiting(self, limit: int = 100) -> Sequence[Job]:
        """Jobs whose present run no worker has begun yet, in order of urgency."""
        query = (
            sa.select(jobs)
            .where(jobs.c.state == JobState.QUEUED, jobs.c.enqueued_run < jobs.c.run)
            .order_by(jobs.c.priority, jobs.c.created)
            .limit(limit)
        )
        with self.database.connect() as connection:
            return [_job(row) for row in connection.execute(query)]

    def under_way(self) -> Sequence[Job]:
        """Jobs with which something is still to happen by itself."""
        query = sa.select(jobs).where(jobs.c.state.in_(UNDER_WAY), jobs.c.finished.is_(None))
        with self.database.connect() as connection:
            return [_job(row) for row in connection.execute(query)]

    def update(self, job_id: str, of_run: int | None = None, **columns: Any) -> None:
        """Set columns; a new `state` must be allowed after the present one.

        Args:
            job_id: of the job.
            of_run: change it only while this is its run; None for any.
            columns: name to value.

        Raises:
            WrongJobState: the job is in a state from which `state` is not allowed, because a
                person cancelled it, say; or it is another run's.
        """
        target = columns.get("state")
        statement = jobs.update().where(jobs.c.id == job_id)
        if of_run is not None:
            statement = statement.where(jobs.c.run == of_run)
        if target is not None:
            state = JobState(target)
            before = [s for s in JobState if s is state or state in TRANSITIONS[s]]
            statement = statement.where(jobs.c.state.in_(before))
            columns["state"] = str(state)
            if state in FINAL:
                columns.setdefault("finished", datetime.now(UTC))
        with self.database.begin() as connection:
            if connection.execute(statement.values(**columns)).rowcount == 0:
                raise _refusal(connection, job_id, f"set to {target}")

    def retry(self, job_id: str) -> Job:
        """Start another run of a job that has failed, was refused or cancelled, or stays SENT."""
        return self._run_again(job_id, "retried", RETRIABLE)

    def release(self, job_id: str) -> Job:
        """Let a held job go on: a person has looked at it and takes it as it is.

        A job that was held before its first step has no result yet: what comes of it is judged
        like any other.
        """
        seen = jobs.c.step != ""
        return self._run_again(job_id, "released", {JobState.HELD}, accept_held=seen)

    def cancel(self, job_id: str) -> Job:
        """Stop a job: at once while it waits, after the present batch or instance while it runs."""
        with self.database.begin() as connection:
            changed = connection.execute(
                jobs.update()
                .where(jobs.c.id == job_id, jobs.c.state.in_(CANCELLABLE))
                .values(
                    state=str(JobState.CANCELLED),
                    reason="A person cancelled this job.",
                    finished=datetime.now(UTC),
                )
            )
            if changed.rowcount == 0:
                raise _refusal(connection, job_id, "cancelled")
        return self.require(job_id)

    def run_again(self, job: Job, reason: str = "", *with_it: sa.Update) -> Job:
        """Start another run of a job that has lost its workflow, or what it had sent.

        Args:
            job: as it was when that was found.
            reason: the sentence that goes with it.
            with_it: what else is changed at the same moment.
        """
        return self._run_again(job.id, "run again", {job.state}, *with_it, reason=reason)

    def deliver_again(self, job: Job, reason: str, *with_it: sa.Update) -> Job:
        """Another run of a job that was over, from its dispatch on; the caller begins it."""
        return self._run_again(
            job.id,
            "sent again",
            {job.state},
            *with_it,
            state=str(JobState.WRITTEN),
            enqueued_run=jobs.c.run + 1,
            reason=reason,
        )

    def give_up(self, job: Job, reason: str) -> None:
        """A job that was over has failed after all."""
        failed = {"state": str(JobState.FAILED), "reason": reason, "finished": datetime.now(UTC)}
        with self.database.begin() as connection:
            connection.execute(
                jobs.update().where(jobs.c.id == job.id, jobs.c.state == job.state).values(failed)
            )

    def mark_begun(self, job: Job) -> None:
        """Remember that a workflow has this run of the job."""
        with self.database.begin() as connection:
            connection.execute(
                jobs.update()
                .where(jobs.c.id == job.id, jobs.c.run == job.run)
                .values(enqueued_run=job.run)
            )

    def _run_again(
        self,
        job_id: str,
        word: str,
        states: frozenset[JobState] | set[JobState],
        *with_it: sa.Update,
        **columns: Any,
    ) -> Job:
        first = {"state": str(JobState.QUEUED), "run": jobs.c.run + 1, "attempts": 0, "step": ""}
        first |= {"progress": 0.0, "reason": "", "finished": None}
        with self.database.begin() as connection:
            changed = connection.execute(
                jobs.update()
                .where(jobs.c.id == job_id, jobs.c.state.in_(states))
                .values({**first, **columns})
            )
            if changed.rowcount == 0:
                raise _refusal(connection, job_id, word)
            for statement in with_it:
                connection.execute(statement)
        return self.require(job_id)


def _source_digests(connection: Connection, request: JobRequest) -> dict[str, str]:
    """SHA-256 of the data set of every source instance, as the spool recorded it."""
    uids = sorted({uid for sources in request.sources.values() for uid in sources})
    digests: dict[str, str] = {}
    for start in range(0, len(uids), UIDS_IN_ONE_QUERY):
        some = uids[start : start + UIDS_IN_ONE_QUERY]
        columns = instances.c.sop_instance_uid, instances.c.sha256
        query = sa.select(*columns).where(instances.c.sop_instance_uid.in_(some))
        digests.update((row.sop_instance_uid, row.sha256) for row in connection.execute(query))
    if not uids or len(digests) < len(uids):
        raise UnknownSource(
            f"A job needs its source instances in the spool, found {len(digests)} of {len(uids)}; "
            "send the series again."
        )
    return digests


def _first_row(request: JobRequest, id_: str, state: JobState, reason: str) -> dict[str, Any]:
    """The row of a job that nobody has worked on."""
    now = datetime.now(UTC)
    return {
        "id": id_,
        "state": str(state),
        "route": request.route,
        "pipeline": request.pipeline,
        "model": request.model,
        "weights_sha256": request.weights_sha256,
        "study_instance_uid": request.study_instance_uid,
        "source_series": list(request.source_series),
        "sources": {key: list(uids) for key, uids in request.sources.items()},
        "source_ae": request.source_ae,
        "revision": request.revision,
        "derived_series": [],
        "destinations": list(request.destinations),
        "parameters": dict(request.parameters),
        "priority": PRIORITIES[request.priority],
        "reason": reason,
        "evidence": dict(request.evidence),
        "qc": {},
        "timings": {},
        "created": now,
        "finished": now if state in FINAL else None,
    }


def _select(connection: Connection, job_id: str) -> Job | None:
    row = connection.execute(sa.select(jobs).where(jobs.c.id == job_id)).one_or_none()
    return _job(row) if row is not None else None


def _job(row: sa.Row[Any]) -> Job:
    values = {item.name: getattr(row, item.name) for item in fields(Job)}
    return Job(**{**values, "state": JobState(row.state)})


def _refusal(connection: Connection, job_id: str, word: str) -> JobError:
    job = _select(connection, job_id)
    return WrongJobState(job_id, word, job.state) if job else UnknownJob(job_id)
