"""The tables as this program knows them, in a database that another version may have made.

Versions only ever add: a table, an index, a column that may be empty. So an older database is
brought up to date when it is opened, and loses nothing. A newer one is refused before anything is
written: this program would not keep what it does not know.
"""

from __future__ import annotations

import contextlib
import logging

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from node.errors import NodeError

log = logging.getLogger(__name__)

TABLES_VERSION = 3
"""Raise it with every table, column or index that is added. 1: before versions were counted."""

NAME = "tables"


class DatabaseTooNew(NodeError):  # noqa: N818 - says what is wrong
    """A newer version of this program made, or has changed, the database."""


def versions_table(metadata: sa.MetaData) -> sa.Table:
    """The table that says which version the others have."""
    return sa.Table(
        "versions",
        metadata,
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("number", sa.Integer, nullable=False),
    )


def bring_up_to_date(engine: Engine, versions: sa.Table) -> None:
    """Make what is missing of all tables beside `versions`; other processes may do so too.

    Raises:
        DatabaseTooNew: a newer version was here; nothing was changed.
    """
    found = tables_version(engine, versions)
    if found is not None and found > TABLES_VERSION:
        raise DatabaseTooNew(
            f"The database has tables of version {found}, this program knows {TABLES_VERSION}: a "
            "newer version has used it; install that one again (nothing was changed)."
        )
    for table in versions.metadata.sorted_tables:
        try:
            table.create(engine, checkfirst=True)
        except sa.exc.DBAPIError:  # another process made the same table at this moment
            table.create(engine, checkfirst=True)
    if found == TABLES_VERSION:
        return
    for table in versions.metadata.sorted_tables:
        _add_columns(engine, table)
        for index in table.indexes:
            _add_index(engine, index)
    _write_version(engine, versions)
    if found is not None:
        facts = {"action": "tables_updated", "before": found, "now": TABLES_VERSION}
        log.info("brought the tables of an older version up to date", extra=facts)


def tables_version(engine: Engine, versions: sa.Table) -> int | None:
    """Which version of the tables the database has; None when it has none of them."""
    names = set(sa.inspect(engine).get_table_names())
    if versions.name in names:
        with engine.connect() as connection:
            query = sa.select(versions.c.number).where(versions.c.name == NAME)
            number = connection.scalar(query)
        if number is not None:
            return int(number)
    return 1 if names & set(versions.metadata.tables) - {versions.name} else None


def _add_columns(engine: Engine, table: sa.Table) -> None:
    there = {column["name"] for column in sa.inspect(engine).get_columns(table.name)}
    for column in table.columns:
        if column.name in there:
            continue
        kind = column.type.compile(engine.dialect)
        try:
            with engine.begin() as connection:
                connection.exec_driver_sql(
                    f"ALTER TABLE {table.name} ADD COLUMN {column.name} {kind}"
                )
        except sa.exc.DBAPIError:
            now = {found["name"] for found in sa.inspect(engine).get_columns(table.name)}
            if column.name not in now:  # else another process was quicker
                raise


def _add_index(engine: Engine, index: sa.Index) -> None:
    statement = sa.schema.CreateIndex(index, if_not_exists=True)
    try:
        with engine.begin() as connection:
            connection.execute(statement)
    except sa.exc.DBAPIError:  # another process made the same index at this moment
        with engine.begin() as connection:
            connection.execute(statement)


def _write_version(engine: Engine, versions: sa.Table) -> None:
    with engine.begin() as connection:
        row = {"name": NAME, "number": TABLES_VERSION}
        changed = connection.execute(versions.update().where(versions.c.name == NAME).values(row))
        if changed.rowcount:
            return
    with contextlib.suppress(sa.exc.IntegrityError), engine.begin() as connection:
        connection.execute(versions.insert().values(row))  # else another process was quicker
