"""A PostgreSQL server that takes what it is sent and says nothing is given up.

Its machine confirms every packet, so TCP has no reason to end the wait: the server is stopped, or
its disk hangs.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.abc import RV, PQGen

ANSWER_S = 30.0
"""Nothing takes so long that the node asks, but for bringing its tables up to date."""


class AnsweredConnection(psycopg.Connection[Any]):
    """A connection that is closed where an answer takes too long.

    Attributes:
        answer_s: how long one answer may take, seconds; None for as long as it takes.
    """

    answer_s: float | None = ANSWER_S

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """As in psycopg, which waits for the server here and nowhere else."""
        try:
            return super().wait(gen, interval, self.answer_s if timeout is None else timeout)
        except psycopg.errors._WaitTimeout as error:
            self.close()
            raise psycopg.OperationalError(f"no answer within {self.answer_s} s") from error


def connect(_dialect: Any, _record: Any, args: Any, parameters: Any) -> AnsweredConnection:
    """Connect for SQLAlchemy: its event `do_connect`."""
    return AnsweredConnection.connect(*args, **parameters)
