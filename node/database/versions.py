"""The tables as this program knows them, in a database that another version may have made.

Versions only ever add: a table, an index, a column that may be empty. So an older database is
brought up to date when it is opened, and loses nothing. A newer one is refused before anything is
written: this program would not keep what it does not know.
"""

from __future__ import annotations

import logging
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from node.errors import NodeError

log = logging.getLogger(__name__)

TABLES_VERSION = 5
"""Raise it with every table, column or index that is added. 1: before versions were counted."""

NAME = "tables"
LOCK = 0x7673_6361
"""Of PostgreSQL: a number that nothing else locks in this database."""


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
    """Make what is missing of all tables, all at once; other processes wait for it meanwhile.

    Raises:
        DatabaseTooNew: a newer version was here; nothing was changed.
    """
    with engine.connect() as connection:
        if _is_ours(tables_version(connection, versions)):
            return
        _lock(connection)
        found = tables_version(connection, versions)
        if _is_ours(found):  # another process was quicker
            return
        versions.metadata.create_all(connection)
        for table in versions.metadata.sorted_tables:
            _add_columns(connection, table)
            for index in table.indexes:
                connection.execute(sa.schema.CreateIndex(index, if_not_exists=True))
        connection.execute(versions.delete().where(versions.c.name == NAME))
        connection.execute(versions.insert().values(name=NAME, number=TABLES_VERSION))
        connection.commit()
    if found is not None:
        facts = {"action": "tables_updated", "before": found, "now": TABLES_VERSION}
        log.info("brought the tables of an older version up to date", extra=facts)


def tables_version(connection: Connection, versions: sa.Table) -> int | None:
    """Which version of the tables the database has; None when it has none of them."""
    names = set(sa.inspect(connection).get_table_names())
    if versions.name in names:
        query = sa.select(versions.c.number).where(versions.c.name == NAME)
        number = connection.scalar(query)
        if number is not None:
            return int(number)
    return 1 if names & set(versions.metadata.tables) - {versions.name} else None


def _is_ours(found: int | None) -> bool:
    """Whether nothing is missing; `DatabaseTooNew` when there is more than we know."""
    if found is not None and found > TABLES_VERSION:
        raise DatabaseTooNew(
            f"The database has tables of version {found}, this program knows {TABLES_VERSION}: a "
            "newer version has used it; install that one again, or put back the copy of the "
            "database from before it (nothing was changed)."
        )
    return found == TABLES_VERSION


def _lock(connection: Connection) -> None:
    """Be the only one who changes tables, until the transaction ends."""
    if connection.dialect.name == "postgresql":
        patient: Any = connection.connection.driver_connection
        patient.answer_s = None  # an index of millions of rows takes minutes
        connection.detach()  # and nobody else is to have it
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
    else:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _add_columns(connection: Connection, table: sa.Table) -> None:
    there = {column["name"] for column in sa.inspect(connection).get_columns(table.name)}
    for column in table.columns:
        if column.name not in there:
            kind = column.type.compile(connection.dialect)
            connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {column.name} {kind}")
