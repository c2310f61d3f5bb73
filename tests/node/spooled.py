"""What a spool has, as its index says."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from node.database.tables import associations, instances
from node.spool import Spool


def series_paths(spool: Spool, series_uid: str) -> list[Path]:
    """The files of a series that are still here, in order of SOP Instance UID."""
    columns = instances.c
    query = (
        sa.select(columns.path)
        .where(columns.series_instance_uid == series_uid, columns.deleted.is_(None))
        .order_by(columns.sop_instance_uid)
    )
    with spool.database.connect() as connection:
        return [spool.data_dir / path for path in connection.scalars(query)]


def last_release(spool: Spool, series_uid: str) -> datetime | None:
    """When an association that brought instances of the series was last released."""
    columns = associations.c
    query = sa.select(sa.func.max(columns.ended)).where(
        columns.series_instance_uid == series_uid, columns.outcome == "RELEASED"
    )
    with spool.database.connect() as connection:
        found: datetime | None = connection.scalar(query)
    return found
