"""Nothing stays behind: workflows of dead workers, and jobs that lost their workflow."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from dbos import DBOS

from node.jobs.ledger import Job, JobLedger, JobState, WrongJobState
from node.workflow import MAX_CRASHES
from node.working.heartbeat import Executor

log = logging.getLogger(__name__)

UNFINISHED = ["PENDING", "ENQUEUED", "DELAYED"]


def recover_workflows_of_the_dead(executor: Executor) -> None:
    """Start unfinished workflows of executors without a row again, at their unfinished step.

    DBOS puts each back into its queue only if it still belongs to the dead executor, so that two
    workers that recover at the same moment start it once.
    """
    # Workflows first, executors second: a worker that registers in between is not taken for dead.
    pending = DBOS.list_workflows(status="PENDING", load_input=False, load_output=False)
    owners = {workflow.executor_id for workflow in pending if workflow.executor_id}
    dead = sorted(owners - executor.registered())
    if dead:
        DBOS._recover_pending_workflows(dead)  # DBOS 3.4.0 has no public name for it
        facts = {"action": "workflows_recovered", "executors": len(dead)}
        log.warning("took over the work of dead workers", extra=facts)


def reconcile(ledger: JobLedger) -> None:
    """Help jobs that are under way but have no workflow.

    Either DBOS gave the workflow up, since worker after worker died of it: the job fails. Or DBOS's
    tables were lost, or restored from an older copy: the job runs again.
    """
    for job in ledger.under_way():
        if _is_orphan(job):
            _help(ledger, job)


def _is_orphan(job: Job) -> bool:
    waits_for_a_worker = job.state is JobState.QUEUED and not job.has_begun
    return not waits_for_a_worker and not _workflows(job, UNFINISHED)


def _help(ledger: JobLedger, job: Job) -> None:
    now = ledger.require(job.id)
    if (now.state, now.run, now.finished) != (job.state, job.run, job.finished):
        return  # it went on while we looked
    try:
        if _workflows(job, ["MAX_RECOVERY_ATTEMPTS_EXCEEDED"]):
            reason = f"{MAX_CRASHES} workers died while they worked on this job; see their logs."
            ledger.update(job.id, state=JobState.FAILED, reason=reason)
        else:
            ledger.run_again(job)
    except WrongJobState:
        return
    facts = {"action": "job_reconciled", "job": job.id, "state": str(job.state)}
    log.warning("a job had lost its workflow", extra=facts)


def _workflows(job: Job, statuses: Iterable[str]) -> bool:
    """Whether DBOS has workflows of the job's present run in one of these states."""
    found = DBOS.list_workflows(
        workflow_id_prefix=f"{job.id}.{job.run}",
        status=list(statuses),
        load_input=False,
        load_output=False,
        limit=1,
    )
    return bool(found)
