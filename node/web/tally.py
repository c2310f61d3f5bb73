"""How many studies a search finds, counted once for everybody who looks.

The overview asks again every two seconds, in every browser that shows it, and counts for each of
its filters. Of all that is remembered in a year that would keep a core busy, so the more there is,
the longer a count is good.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from sqlalchemy.engine import Connection

from node.web.rows import count_studies
from node.web.search import Search

GOOD_FOR_S = 0.0005
"""For each study that is remembered; counting takes some 5 microseconds of it."""
EVERYTHING = Search()


class Tally:
    """The latest counts.

    Args:
        clock: gives seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[Search, tuple[int, float]] = {}  # the count, and until when it is good

    def count(self, connection: Connection, search: Search) -> int:
        """How many studies a search finds, or found a moment ago."""
        with self._lock:
            now = self._clock()
            self._known = {one: known for one, known in self._known.items() if now < known[1]}
            return self._count(connection, search, now)

    def _count(self, connection: Connection, search: Search, now: float) -> int:
        if search not in self._known:
            found = count_studies(connection, search)
            of = found if search == EVERYTHING else self._count(connection, EVERYTHING, now)
            self._known[search] = found, now + GOOD_FOR_S * of
        return self._known[search][0]
