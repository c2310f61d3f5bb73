"""How SQLite finds what it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine


@contextmanager
def asked(database: Engine) -> Iterator[list[str]]:
    """The steps of the plans of all queries within the block; there when it has ended."""
    queries: list[tuple[str, Any]] = []
    steps: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        queries.append((statement, parameters))

    sa.event.listen(database, "before_cursor_execute", note)
    try:
        yield steps
    finally:
        sa.event.remove(database, "before_cursor_execute", note)
    with database.connect() as connection:
        for statement, parameters in queries:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            steps.extend(row.detail for row in plan)
