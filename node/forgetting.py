"""The rows of series whose images were deleted here long ago: they go as well, names and all.

What stays is the row of each job, which holds UIDs and no name: a series that is sent again after
years is new to the index, and yet no second job is made of it.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from node.config import RetentionSettings
from node.database import instances, jobs, series
from node.records import decided
from node.spooling.incoming import nothing_admitted

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
