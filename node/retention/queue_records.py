"""What DBOS recorded of workflows that have ended, deleted with the files of their jobs.

The `jobs` row stays as the memory of a job. DBOS's own rows (arguments and results of every step)
are needed only while a workflow can still be taken up again; without an end to them its tables
would grow for ever.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta

import sqlalchemy as sa
from dbos import DBOS
from sqlalchemy.engine import Engine

from node.config import RetentionSettings
from node.database.tables import jobs
from node.workflow import job_of_workflow

log = logging.getLogger(__name__)

ENDED = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
"""States of DBOS in which a workflow stays."""

AT_ONCE = 500


def prune_workflows(database: Engine, settings: RetentionSettings, now: datetime) -> int:
    """Delete ended workflows of jobs that ended long ago, or are unknown; gives their number.

    A job that is under way keeps all of its workflows: that there is one tells the worker that the
    job has not lost it. A person's retry of an old job is a new run with new workflow ids.

    Args:
        database: the node's tables.
        settings: `derived_keep_s` counts.
        now: the time.
    """
    before = now - timedelta(seconds=settings.derived_keep_s)
    deleted = kept = 0
    while True:
        found = DBOS.list_workflows(
            status=ENDED,
            end_time=before.isoformat(),  # of workflows made before: a job ends after them
            limit=AT_ONCE,
            offset=kept,
            load_input=False,
            load_output=False,
        )
        ids = [workflow.workflow_id for workflow in found]
        needed = _needed(database, {job_of_workflow(one) for one in ids}, before)
        going = [one for one in ids if job_of_workflow(one) not in needed]
        if going:
            DBOS.delete_workflows(going)
        deleted, kept = deleted + len(going), kept + len(ids) - len(going)
        if len(ids) < AT_ONCE:
            break
    if deleted:
        facts = {"action": "workflows_pruned", "workflows": deleted}
        log.info("deleted the records of old workflows", extra=facts)
    return deleted


def _needed(database: Engine, job_ids: Iterable[str], before: datetime) -> set[str]:
    """Which of these jobs are under way, held, or ended after that time."""
    late = sa.or_(jobs.c.finished.is_(None), jobs.c.finished >= before)
    query = sa.select(jobs.c.id).where(jobs.c.id.in_(list(job_ids)), late)
    with database.connect() as connection:
        return set(connection.execute(query).scalars())
