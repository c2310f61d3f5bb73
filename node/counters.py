"""Running totals of the processes, kept in the database and shown by `/metrics`."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from node.database.tables import counters, insert_into
from node.database.waiting import log_failure
from node.errors import NodeError

log = logging.getLogger(__name__)

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
        self._is_said = False

    def add(self, name: str, label: str = "", amount: int = 1) -> None:
        """Count something."""
        with self._lock:
            self._amounts[name, label] += amount

    def flush(self, database: Callable[[], Engine]) -> None:
        """Bring what was counted into the database; what fails is kept for the next time.

        That it fails is said once, until it has succeeded again.

        Args:
            database: gives it; may open it.
        """
        with self._lock:
            amounts, self._amounts = self._amounts, Counter()
        if not amounts:
            return
        try:
            with database().begin() as connection:
                add_counts(connection, amounts)
        except (SQLAlchemyError, NodeError) as error:
            with self._lock:
                self._amounts.update(amounts)
            if not self._is_said:
                log_failure(log, "totals wait for the database", "counters_failed", error)
            self._is_said = True
        else:
            self._is_said = False
