"""How the node itself stands: queue, workers, disk, refused callers, conflicts."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from node.config import Config
from node.counters import Key, read_counts
from node.database.tables import conflicts, executors, jobs, series
from node.web.rows import counts_by_state

LONG_WAIT = timedelta(minutes=5)
"""A job that waits longer than this is worth a word on the page."""
MOST_CONFLICTS = 20
"""Series with conflicts that are listed."""


# Labels of the totals that receiver and spool keep.
TURNED_AWAY = ("REFUSED", "NO_TLS")
RECEIVED = ("admitted", "duplicate", "conflict")


@dataclass(frozen=True)
class Standing:
    """What the top of the overview tells."""

    jobs_by_state: dict[str, int]
    workers: int
    disk_free_bytes: int
    disk_total_bytes: int
    min_free_bytes: int
    associations_refused: int
    conflicts: int
    oldest_waiting: datetime | None
    now: datetime

    @property
    def disk_is_low(self) -> bool:
        """Whether the receiver refuses instances for lack of space, or nearly so."""
        return self.disk_free_bytes < 2 * self.min_free_bytes

    @property
    def waits_long(self) -> bool:
        """Whether somebody has been waiting for a result unduly."""
        return self.oldest_waiting is not None and self.now - self.oldest_waiting > LONG_WAIT


def standing(connection: Connection, config: Config, now: datetime | None = None) -> Standing:
    """The node's standing at this moment."""
    now = now or datetime.now(UTC)
    # The data directory may not exist yet when nothing was ever received.
    folder = next(p for p in (config.node.data_dir, *config.node.data_dir.parents) if p.exists())
    disk = shutil.disk_usage(folder)
    return Standing(
        jobs_by_state=counts_by_state(connection, jobs),
        workers=live_workers(connection, config, now),
        disk_free_bytes=disk.free,
        disk_total_bytes=disk.total,
        min_free_bytes=config.node.min_free_bytes,
        associations_refused=associations_refused(read_counts(connection)),
        conflicts=connection.scalar(sa.select(sa.func.count()).select_from(conflicts)) or 0,
        oldest_waiting=connection.scalar(
            sa.select(sa.func.min(jobs.c.created)).where(jobs.c.state == "QUEUED")
        ),
        now=now,
    )


def live_workers(connection: Connection, config: Config, now: datetime) -> int:
    """Workers whose last sign of life is recent."""
    since = now - timedelta(seconds=config.jobs.lost_after_s)
    query = sa.select(sa.func.count()).select_from(executors).where(executors.c.heartbeat >= since)
    return connection.scalar(query) or 0


def last_heard(connection: Connection) -> dict[str, datetime]:
    """When an image came last, by the AE title of its sender."""
    latest = sa.func.max(series.c.last_received)
    query = sa.select(series.c.source_ae, latest).group_by(series.c.source_ae)
    return {row[0]: row[1] for row in connection.execute(query)}


def newest_conflicts(connection: Connection) -> Sequence[sa.Row[Any]]:
    """Series with images that came twice: how many, from whom, when the latest came."""
    latest = sa.func.max(conflicts.c.received).label("latest")
    columns = (conflicts.c.series_instance_uid, conflicts.c.source_ae)
    query = sa.select(*columns, sa.func.count().label("count"), latest).group_by(*columns)
    return connection.execute(query.order_by(latest.desc()).limit(MOST_CONFLICTS)).all()


def associations_refused(totals: Mapping[Key, int]) -> int:
    """Callers that were turned away: unknown, calling somebody else, or without TLS."""
    return sum(totals.get(("associations", outcome), 0) for outcome in TURNED_AWAY)


def instances_received(totals: Mapping[Key, int]) -> int:
    """Instances that were received, those that were known already included."""
    return sum(totals.get(("instances", what), 0) for what in RECEIVED)
