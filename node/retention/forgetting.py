"""The rows of series whose images were deleted here long ago, and of jobs that ended long before.

A series' rows go with every name in them; its job's row, which holds UIDs and no name, stays for
much longer. By it a series that is sent again is new to the index, and yet no second job is made of
it; and a recall finds what a model made. In the end of a job stay its id and the time at which it
was made: one that is made again after that writes the same objects to the byte.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from node.config import RetentionSettings
from node.database.tables import (
    commitments,
    deliveries,
    insert_into,
    instances,
    jobs,
    past_jobs,
    series,
)
from node.jobs.ledger import UIDS_IN_ONE_QUERY
from node.retention.records import decided, ended_before
from node.spooling.incoming import nothing_admitted
from node.work import JOBS_FOLDER

log = logging.getLogger(__name__)


def forget_series(
    database: Engine, data_dir: Path, settings: RetentionSettings, now: datetime
) -> int:
    """Delete the rows of series that may be forgotten at this time; gives their number.

    Nothing is admitted meanwhile: an image that comes again just now keeps its series.

    Args:
        database: the node's tables.
        data_dir: where the spool lies.
        settings: how long to keep what.
        now: the time.
    """
    # A job's page puts pictures in order by these rows, as long as what was derived is here.
    keep_s = max(settings.memory_keep_s, settings.derived_keep_s)
    with nothing_admitted(data_dir) as free:
        forgotten = _forget(database, now - timedelta(seconds=keep_s)) if free else 0
    if forgotten:
        log.info("forgot old series", extra={"action": "series_forgotten", "series": forgotten})
    return forgotten


def _forget(database: Engine, before: datetime) -> int:
    with database.begin() as connection:
        uids = list(connection.scalars(_forgettable(before)))
        for uid in uids:
            for table in (instances, series):
                connection.execute(table.delete().where(table.c.series_instance_uid == uid))
    return len(uids)


def _forgettable(before: datetime) -> sa.Select[tuple[str]]:
    """Series that are decided, of which no image is here, and no job was busy since then."""
    of_series = instances.c.series_instance_uid == series.c.series_instance_uid
    kept = sa.or_(instances.c.deleted.is_(None), instances.c.deleted > before)
    of_study = jobs.c.study_instance_uid == series.c.study_instance_uid
    busy = sa.or_(jobs.c.finished.is_(None), jobs.c.finished > before)
    return sa.select(series.c.series_instance_uid).where(
        series.c.last_received <= before,
        decided(),
        sa.not_(sa.exists().where(of_series, kept)),
        sa.not_(sa.exists().where(of_study, busy)),
    )


def forget_jobs(
    database: Engine, data_dir: Path, settings: RetentionSettings, now: datetime
) -> int:
    """Delete the rows of jobs that may be forgotten at this time; gives their number.

    A job that waits for a person, and one whose folder is still here, is none of them.

    Args:
        database: the node's tables.
        data_dir: where the folders of jobs lie.
        settings: how long to keep what.
        now: the time.
    """
    # As long as a series is remembered, so is what became of it.
    keep_s = max(settings.jobs_keep_s, settings.memory_keep_s)
    may_go = sa.and_(
        ended_before(settings, now), jobs.c.finished <= now - timedelta(seconds=keep_s)
    )
    with database.connect() as connection:
        found = list(connection.scalars(sa.select(jobs.c.id).where(may_go)))
    going = [job_id for job_id in found if not (data_dir / JOBS_FOLDER / job_id).exists()]
    forgotten = 0
    for start in range(0, len(going), UIDS_IN_ONE_QUERY):
        some = jobs.c.id.in_(going[start : start + UIDS_IN_ONE_QUERY])
        forgotten += _forget_jobs(database, sa.and_(some, may_go))
    if forgotten:
        log.info("forgot old jobs", extra={"action": "jobs_forgotten", "jobs": forgotten})
    return forgotten


def _forget_jobs(database: Engine, these: sa.ColumnElement[bool]) -> int:
    """Asked once more: a person may have tried one again just now."""
    gone = jobs.delete().where(these).returning(jobs.c.id, jobs.c.created)
    with database.begin() as connection:
        rows = [dict(row._mapping) for row in connection.execute(gone)]
        if rows:
            first = insert_into(connection, past_jobs).on_conflict_do_nothing()
            connection.execute(first, rows)
            ids = [row["id"] for row in rows]
            for table in (deliveries, commitments):
                connection.execute(table.delete().where(table.c.job_id.in_(ids)))
    return len(rows)
