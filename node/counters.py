"""Running totals of the processes, kept in the database and shown by `/metrics`."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from node.database import counters, insert_into

Key = tuple[str, str]  # name and label


def add_counts(connection: Connection, amounts: Mapping[Key, int]) -> None:
    """Add to totals, each named by (name, label), within the caller's transaction."""
    for (name, label), amount in sorted(amounts.items()):  # one order: no deadlock of two writers
        statement = insert_into(connection, counters).values(name=name, labels=label, value=amount)
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["name", "labels"],
                set_={"value": counters.c.value + statement.excluded.value},
            )
        )


def read_counts(connection: Connection) -> dict[Key, int]:
    """Every total by (name, label)."""
    rows = connection.execute(sa.select(counters.c.name, counters.c.labels, counters.c.value))
    return {(row.name, row.labels): row.value for row in rows}


class CounterBuffer:
    """Totals of one process on their way to the database, so that counting never waits for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._amounts: Counter[Key] = Counter()

    def add(self, name: str, label: str = "", amount: int = 1) -> None:
        """Count something."""
        with self._lock:
            self._amounts[name, label] += amount

    def flush(self, database: Engine) -> None:
        """Bring what was counted into the database; kept for the next time when that fails."""
        with self._lock:
            amounts, self._amounts = self._amounts, Counter()
        if not amounts:
            return
        try:
            with database.begin() as connection:
                add_counts(connection, amounts)
        except sa.exc.SQLAlchemyError:
            with self._lock:
                self._amounts.update(amounts)
            raise
