"""The index rows of the spool: statements that may be repeated without changing the result."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from node.database.tables import associations, conflicts, insert_into, instances, series

RECEIVING = "RECEIVING"  # the state in which a series begins; assembly leads it further


@dataclass(frozen=True)
class KnownInstance:
    """What the index says of an instance."""

    sha256: str
    path: str
    deleted: datetime | None


def known_instances(connection: Connection, uids: Collection[str]) -> dict[str, KnownInstance]:
    """The indexed ones among these SOP Instance UIDs."""
    columns = instances.c
    query = sa.select(
        columns.sop_instance_uid, columns.sha256, columns.path, columns.deleted
    ).where(columns.sop_instance_uid.in_(uids))
    return {row[0]: KnownInstance(*row[1:]) for row in connection.execute(query)}


def known_conflicts(connection: Connection, uids: Collection[str]) -> set[tuple[str, str]]:
    """SOP Instance UID and digest of the contents that are kept aside already."""
    columns = conflicts.c
    query = sa.select(columns.sop_instance_uid, columns.sha256).where(
        columns.sop_instance_uid.in_(uids)
    )
    return {(row[0], row[1]) for row in connection.execute(query)}


def insert_instances(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Index instances; a row that exists becomes what it says now and is no longer deleted."""
    if not rows:
        return
    statement = insert_into(connection, instances)
    names = ("received", "path", "source_ae", "attributes")  # retention forgot most of the last
    fresh = {name: statement.excluded[name] for name in names}
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["sop_instance_uid"], set_={**fresh, "deleted": None}
        ),
        list(rows),
    )


def insert_conflicts(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Record second contents under known UIDs, each content once."""
    if rows:
        connection.execute(insert_into(connection, conflicts).on_conflict_do_nothing(), list(rows))


def insert_associations(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Record how associations ended."""
    if rows:
        statement = insert_into(connection, associations).on_conflict_do_nothing()
        connection.execute(statement, list(rows))


def refresh_series(connection: Connection, series_uids: Collection[str]) -> None:
    """Make the rows of these series say what their instances say; the state is not touched.

    Where retention has deleted instances of a series, those that were counted when it was complete
    are no measure any more: all that is here now counts as late.
    """
    columns = instances.c
    query = (
        sa.select(
            columns.series_instance_uid,
            sa.func.min(columns.study_instance_uid).label("study_instance_uid"),
            sa.func.min(columns.source_ae).label("source_ae"),
            sa.func.count().label("instance_count"),
            sa.func.min(columns.received).label("first_received"),
            sa.func.max(columns.received).label("last_received"),
        )
        .where(columns.series_instance_uid.in_(series_uids), columns.deleted.is_(None))
        .group_by(columns.series_instance_uid)
    )
    start = {"state": RECEIVING, "revision": 1, "evidence": {}, "decision": {}}
    rows = [{**row, **start} for row in connection.execute(query).mappings().all()]
    if not rows:
        return
    statement = insert_into(connection, series)
    counted = ("instance_count", "first_received", "last_received")
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["series_instance_uid"],
            set_={name: statement.excluded[name] for name in counted},
        ),
        rows,
    )
    uids = [row["series_instance_uid"] for row in rows]
    shrunk = sa.select(columns.series_instance_uid).where(
        columns.series_instance_uid.in_(uids), columns.deleted.is_not(None)
    )
    connection.execute(
        series.update().where(series.c.series_instance_uid.in_(shrunk)).values(completed_count=0)
    )
