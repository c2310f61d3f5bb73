"""What the tables recorded on the way, deleted when nobody can need it any more.

The rows of `jobs` stay as the memory: the same series sent again is known by them (how long, see
`node.retention.forgetting`). What goes is what led there: single deliveries, transactions of
commitment, how associations ended, what scanners announced.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from node.assembling.assembly import OPEN
from node.commitment.states import CommitmentState
from node.config import RetentionSettings
from node.database.tables import (
    associations,
    commitments,
    deliveries,
    jobs,
    performed_series,
    performed_steps,
    series,
)
from node.jobs.states import JobState

log = logging.getLogger(__name__)

ANNOUNCED_S = 86_400.0
"""A scanner may announce long before what it sends; so long it is known in any case."""

DONE = frozenset({JobState.COMMITTED, JobState.REFUSED, JobState.CANCELLED})
"""States in which nobody needs a job's folder but to look at it, nor its sources. A failed one,
which may be tried again, is kept longer; a held one, and one that was sent and never confirmed,
until a person has decided."""


def decided() -> sa.ColumnElement[bool]:
    """Of which series nothing waits for a decision; until then all evidence counts."""
    return sa.and_(series.c.state.not_in(OPEN), series.c.instance_count <= series.c.completed_count)


def doubted() -> sa.ColumnElement[bool]:
    """Which jobs a late report contradicts: what was sent, and its sources, may be needed again."""
    of_job = commitments.c.job_id == jobs.c.id
    return sa.exists().where(of_job, commitments.c.state == CommitmentState.CONTRADICTED)


def ended_before(settings: RetentionSettings, now: datetime) -> sa.ColumnElement[bool]:
    """Which jobs ended so long ago that their folder, and what leads to it, may go."""
    done = now - timedelta(seconds=settings.derived_keep_s)
    failed = now - timedelta(seconds=settings.failed_keep_s)
    long_ago = sa.or_(
        sa.and_(jobs.c.state.in_(DONE), jobs.c.finished <= done),
        sa.and_(jobs.c.state == JobState.FAILED, jobs.c.finished <= failed),
    )
    return sa.and_(long_ago, sa.not_(doubted()))


def sweep_records(database: Engine, settings: RetentionSettings, now: datetime) -> int:
    """Delete the rows that may go at this time; gives their number.

    Args:
        database: the node's tables.
        settings: how long to keep what.
        now: the time.
    """
    deleted = _sweep_jobs(database, settings, now) + _sweep_evidence(database, settings, now)
    if deleted:
        log.info("deleted old records", extra={"action": "records_deleted", "rows": deleted})
    return deleted


def _sweep_jobs(database: Engine, settings: RetentionSettings, now: datetime) -> int:
    """Deliveries and transactions of jobs that are over; found first, without a lock."""
    recorded = sa.union(sa.select(deliveries.c.job_id), sa.select(commitments.c.job_id))
    query = sa.select(jobs.c.id).where(jobs.c.id.in_(recorded), ended_before(settings, now))
    with database.connect() as connection:
        over = list(connection.execute(query).scalars())
    deleted = 0
    for job_id in over:
        awaits_a_look = commitments.c.state == CommitmentState.CONTRADICTED
        of_job = commitments.c.job_id == job_id
        with database.begin() as connection:
            for statement in (
                deliveries.delete().where(deliveries.c.job_id == job_id),
                commitments.delete().where(of_job, sa.not_(awaits_a_look)),
            ):
                deleted += connection.execute(statement).rowcount
    return deleted


def _sweep_evidence(database: Engine, settings: RetentionSettings, now: datetime) -> int:
    """How associations ended and what scanners announced, of series that are decided."""
    before = now - timedelta(seconds=max(settings.unrouted_keep_s, ANNOUNCED_S))
    of_open = performed_series.c.series_instance_uid.in_(_undecided())
    needed = sa.select(performed_series.c.step_instance_uid).where(of_open)
    steps = sa.select(performed_steps.c.sop_instance_uid).where(
        performed_steps.c.updated <= before, performed_steps.c.sop_instance_uid.not_in(needed)
    )
    statements = (
        associations.delete().where(
            associations.c.ended <= before,
            associations.c.series_instance_uid.not_in(_undecided()),
        ),
        performed_series.delete().where(performed_series.c.step_instance_uid.in_(steps)),
        performed_steps.delete().where(performed_steps.c.sop_instance_uid.in_(steps)),
    )
    with database.begin() as connection:
        return sum(connection.execute(statement).rowcount for statement in statements)


def _undecided() -> sa.Select[tuple[str]]:
    return sa.select(series.c.series_instance_uid).where(sa.not_(decided()))
