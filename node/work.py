"""One attempt at one step of a job: do it, record how it went, decide what follows.

Knows nothing of DBOS: `node.workflow` calls `JobWork.attempt` and does as its outcome says.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from node.config import Config
from node.database.tables import instances
from node.dispatch.errors import InstancesLost
from node.dispatch.ledger import DeliveryStatus
from node.jobs.ledger import Job, JobLedger, JobState, UnknownSource, WrongJobState
from node.recalling.reprocessing import reprocess
from node.steps.check import check_step
from node.steps.folder import JobFolder, JobInput, OtherModel
from node.steps.gate import gate_step
from node.steps.translate import translate_step
from node.steps.write import write_step
from node.working.check_beside import CheckBeside
from node.working.delivery import Delivery
from node.working.read_ahead import ReadAhead
from node.working.retry import decide
from node.working.warm import WarmPipelines
from node.working.watch import JobStopped, Watch
from pipelines.errors import NothingToTranslate

log = logging.getLogger(__name__)

RED = "RED"
JOBS_FOLDER = "jobs"


@dataclass(frozen=True)
class Work:
    """One attempt of one workflow.

    Attributes:
        job_id, run: which job, and which of its runs.
        attempt: from 1.
        destination: name of the peer; "" while there is none yet.
    """

    job_id: str
    run: int
    attempt: int = 1
    destination: str = ""


@dataclass(frozen=True)
class Outcome:
    """What follows a step.

    Attributes:
        go_on: the next step.
        wait_s: another attempt, so many seconds later; None for none.
        priority: of the job, for that attempt.
    """

    go_on: bool
    wait_s: float | None = None
    priority: int = 2


class Ended(Exception):  # noqa: N818 - no error: a step's answer
    """The job has come to a state in which it stays.

    Args:
        state: that state.
        reason: the sentence that goes with it.
    """

    def __init__(self, state: JobState, reason: str) -> None:
        self.state = state
        self.reason = reason
        super().__init__(reason)


class JobWork:
    """Does the steps of jobs.

    Args:
        config: the node's configuration.
        database: the node's tables.
        pipelines: the warm networks.
        alive: false when other workers have taken our jobs over.

    Attributes:
        ahead: reads headers before there is a job, when its `look` is called.
        beside: checks objects while they are written, once it is started.
    """

    def __init__(
        self,
        config: Config,
        database: Engine,
        pipelines: WarmPipelines,
        alive: Callable[[], bool],
    ) -> None:
        self.config = config
        self.database = database
        self.ledger = JobLedger(database)
        self.delivery = Delivery(config, database)
        self._pipelines = pipelines
        self._alive = alive
        self.ahead = ReadAhead(config.node.data_dir, database)
        self.beside = CheckBeside()
        self._folders: dict[str, JobFolder] = {}
        self._folders_lock = threading.Lock()  # destinations are served by many threads
        self._steps: Mapping[str, Callable[[Work, Job, Watch], dict[str, Any]]] = {
            "gate": self._gate,
            "translate": self._translate,
            "write": self._write,
            "check": self._check,
            "dispatch": self._dispatch,
            "commitment": self._commitment,
        }

    def attempt(self, step: str, work: Work) -> Outcome:
        """Do one step; every error ends here, in the job's row and in the outcome."""
        began = time.monotonic()
        try:
            outcome = self._tried(step, work, began)
        except JobStopped:
            outcome = Outcome(go_on=False)
        facts = {"action": f"step_{step}", "job": work.job_id, "attempt": work.attempt}
        seconds = round(time.monotonic() - began, 3)
        log.info(
            "%s done" if outcome.go_on else "%s ended", step, extra={**facts, "seconds": seconds}
        )
        return outcome

    def _tried(self, step: str, work: Work, began: float) -> Outcome:
        """Do one step and record what became of it; `JobStopped` when that is not ours to say."""
        try:
            job = self._begin(step, work)
            watch = Watch(self.ledger, job, self._alive)
            watch.ask()
            changes = self._changes(step, work, job, watch)
            self._conclude(step, work, changes, time.monotonic() - began)
        except Ended as ended:
            self._advance(work, state=ended.state, reason=ended.reason)
            return Outcome(go_on=False)
        except Exception as error:  # noqa: BLE001 - job runner: it becomes the job's reason
            return self._after(error, step, work)
        return Outcome(go_on=True)

    def _changes(self, step: str, work: Work, job: Job, watch: Watch) -> dict[str, Any]:
        """Do one step. What the installed model cannot go on with gives way to a job of its own."""
        try:
            return self._steps[step](work, job, watch)
        except OtherModel as error:
            again = reprocess(self.ledger, job)
            name = f"job {again.id[:12]}"
            if again.state is JobState.CANCELLED:  # else two versions at work pass it to and fro
                raise OtherModel(f"{error} Of that one, {name} was cancelled; retry it.") from error
            reason = f"{error} Of that one, {name} takes its place."
            raise Ended(JobState.CANCELLED, reason) from error

    def folder(self, job_id: str) -> JobFolder:
        """The job's folder; its sources stay open from step to step."""
        with self._folders_lock:
            if job_id not in self._folders:
                while len(self._folders) >= 2 * self.config.jobs.concurrency:
                    self._folders.pop(next(iter(self._folders)))
                data_dir = self.config.node.data_dir
                self._folders[job_id] = JobFolder(
                    data_dir / JOBS_FOLDER / job_id, data_dir=data_dir
                )
            return self._folders[job_id]

    def _begin(self, step: str, work: Work) -> Job:
        """Show in the row what is being done."""
        job = self.ledger.require(work.job_id)
        if job.run != work.run or job.state in (JobState.CANCELLED, JobState.COMMITTED):
            raise JobStopped  # committed: a worker died between this and the end of the workflow
        columns: dict[str, Any] = {"step": step, "progress": 0.0, "attempts": work.attempt}
        if not work.destination:
            columns |= {"state": JobState.RUNNING, "reason": ""}
            columns |= {} if job.started else {"started": datetime.now(UTC)}
        self._advance(work, **columns)
        return job

    def _advance(self, work: Work, **columns: Any) -> None:
        """Change the row; a state that a person, or another destination, has set stays."""
        try:
            self.ledger.update(work.job_id, of_run=work.run, **columns)
        except WrongJobState as error:
            is_old = self.ledger.require(work.job_id).run != work.run
            if is_old or not work.destination or error.state is JobState.CANCELLED:
                raise JobStopped from error

    def _conclude(self, step: str, work: Work, changes: dict[str, Any], seconds: float) -> None:
        """What a step came to and its time, at once: a killed worker leaves both or neither."""
        timings = {**self.ledger.require(work.job_id).timings, step: round(seconds, 3)}
        self._advance(work, timings=timings, progress=1.0, **changes)

    def _after(self, error: Exception, step: str, work: Work) -> Outcome:
        """Record an error and decide: again, later; or the end of the job."""
        decision = decide(error, work.attempt, self.config.jobs)
        if decision.wait_s is None and self._others_are_not_sent(error, step, work):
            decision = replace(decision, wait_s=self.config.jobs.backoff_limit_s)
        facts = {
            "action": "step_failed",
            "job": work.job_id,
            "step": step,
            "attempt": work.attempt,
            "error": type(error).__name__,
        }
        log.warning("%s failed: %s", step, decision.reason, extra=facts)
        if not self._alive():
            return Outcome(go_on=False)  # the job is another worker's, who may do better
        if decision.wait_s is None:
            self._give_up(error, step, work, decision.reason)
            return Outcome(go_on=False)
        job = self.ledger.require(work.job_id)
        if not (work.destination and job.state is JobState.FAILED):  # that says why another gave up
            state = {} if work.destination else {"state": JobState.QUEUED}
            self._advance(work, reason=decision.reason, **state)
        return Outcome(go_on=False, wait_s=decision.wait_s, priority=job.priority)

    def _others_are_not_sent(self, error: Exception, step: str, work: Work) -> bool:
        """Whether it is too early to say that all was accepted, though this one cannot confirm."""
        if step != "commitment" or isinstance(error, InstancesLost):
            return False
        return self.ledger.require(work.job_id).state is JobState.WRITTEN

    def _give_up(self, error: Exception, step: str, work: Work, reason: str) -> None:
        """The job fails; but what was accepted and cannot be confirmed stays SENT."""
        if step == "commitment" and not isinstance(error, InstancesLost):
            self._advance(
                work,
                state=JobState.SENT,
                reason=f"Not confirmed: {reason}",
                finished=datetime.now(UTC),
            )
            return
        self._advance(work, state=JobState.FAILED, reason=reason)

    def _gate(self, work: Work, job: Job, watch: Watch) -> dict[str, Any]:
        folder = self.folder(job.id)
        if folder.is_checked:
            return {}  # an earlier run did all but send it; its sources may be gone
        folder.known = self.ahead.take()
        folder.prepare(self._input(job))
        verdict = gate_step(folder)
        folder.known = {}
        if not verdict.accepted:
            raise Ended(JobState.REFUSED, verdict.reason)
        return {}

    def _translate(self, work: Work, job: Job, watch: Watch) -> dict[str, Any]:
        folder = self.folder(job.id)
        with self._pipelines.use(job.pipeline) as pipeline:
            watch.ask()
            self.beside.open(folder)
            try:
                record = translate_step(folder, pipeline, watch.progress)
            except NothingToTranslate as error:
                raise Ended(JobState.REFUSED, str(error)) from error
        return {"qc": record}

    def _write(self, work: Work, job: Job, watch: Watch) -> dict[str, Any]:
        folder = self.folder(job.id)
        self.beside.watch(folder)
        written = write_step(folder)
        return {"derived_series": [one.series_instance_uid for one in written]}

    def _check(self, work: Work, job: Job, watch: Watch) -> dict[str, Any]:
        folder = self.folder(job.id)
        findings = [] if folder.is_checked else check_step(folder, self.beside.findings)
        if findings:
            folder.discard_written()
            raise Ended(
                JobState.HELD,
                f"Our own check found {len(findings)} faults in the derived objects, the first: "
                f"{findings[0]} They must not leave; cancel the job or report the fault.",
            )
        record = folder.record or {}
        if record.get("verdict") == RED and not job.accept_held:
            why = " ".join(record.get("reasons", ()))
            raise Ended(JobState.HELD, f"The quality is RED: {why} Release or cancel the job.")
        self.delivery.destinations(job)  # an unknown one fails here, before anything is sent
        folder.discard_translated()
        return {"state": JobState.WRITTEN}

    def _dispatch(self, work: Work, job: Job, watch: Watch) -> dict[str, Any]:
        folder = self.folder(job.id)
        self.delivery.dispatch(job, folder, work.destination, watch)
        sent = self.delivery.everywhere(job, folder, DeliveryStatus.SENT)
        return {"state": JobState.SENT, "reason": ""} if sent else {}

    def _commitment(self, work: Work, job: Job, watch: Watch) -> dict[str, Any]:
        folder = self.folder(job.id)
        self.delivery.dispatch(job, folder, work.destination, watch)
        self.delivery.commit(job, folder, work.destination, watch)
        if not self.delivery.everywhere(job, folder, DeliveryStatus.COMMITTED):
            return {}
        with self._folders_lock:
            self._folders.pop(job.id, None)
        return {"state": JobState.COMMITTED, "reason": ""}

    def _input(self, job: Job) -> JobInput:
        """What is to be done, with the source instances as they lie below the data directory."""
        sources = {key: self._paths(uids) for key, uids in job.sources.items()}
        return JobInput(
            job_id=job.id,
            pipeline=job.pipeline,
            model=job.model,
            weights_sha256=job.weights_sha256,
            parameters=job.parameters,
            sources=sources,
            created=self.ledger.first_made(job),
            ae_title=self.config.node.ae_title,
        )

    def _paths(self, uids: list[str]) -> tuple[Path, ...]:
        series = sa.select(instances.c.series_instance_uid).where(
            instances.c.sop_instance_uid == uids[0]
        )
        query = sa.select(instances.c.sop_instance_uid, instances.c.path).where(
            instances.c.series_instance_uid.in_(series), instances.c.deleted.is_(None)
        )
        with self.database.connect() as connection:
            found = {row.sop_instance_uid: row.path for row in connection.execute(query)}
        here = [uid for uid in uids if uid in found and self._is_here(found[uid])]
        if here != uids:
            raise UnknownSource(
                "The source instances are not in the spool any more; send the series again, then "
                "retry this job."
            )
        return tuple(Path(found[uid]) for uid in uids)

    def _is_here(self, path: str) -> bool:
        """Whether a file is in the spool: a sweep that was killed had not come to its row yet."""
        return (self.config.node.data_dir / path).exists()
