"""Headers of series that will soon be complete, read while the worker waits.

A series that grows no more is only looked at by the assembler until its quiet time is over; a
worker without work reads its headers meanwhile. It is a head start: a job reads what is not known.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from dicom_profiles.errors import UnreadableInstance
from dicom_profiles.reading import read_header
from dicom_profiles.sources.series import SourceInstance
from node.assembling.assembly import SeriesState
from node.database.tables import instances, series

SILENCE_S = 0.5
"""A series that got an image within this time still grows; its receiver needs the processor."""
LOOK_S = 0.5
"""How often it is asked which series there are."""
PORTION = 25
"""Headers read at a time: some 30 ms, in which no job is begun."""
MOST = 2000
"""Headers kept, some 50 kB each."""
KEEP_S = 10.0
"""They are let go when no series has been open for so long."""


class ReadAhead:
    """Reads headers, a portion at each look.

    Args:
        data_dir: the node's data directory.
        database: the node's tables.
        clock: gives seconds that only grow.
    """

    def __init__(
        self, data_dir: Path, database: Engine, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._data_dir = data_dir
        self._database = database
        self._clock = clock
        self._known: dict[Path, SourceInstance] = {}
        self._next_look = clock()
        self._last_open = clock()

    def look(self) -> None:
        """Read some headers, if there are any to read."""
        now = self._clock()
        if now < self._next_look:
            return
        paths = self._paths()
        if paths:
            self._last_open = now
        elif now > self._last_open + KEEP_S:
            self._known = {}
        new = [path for path in paths if path not in self._known]
        if new and len(self._known) + len(new) > MOST:
            self._known = {path: self._known[path] for path in paths if path in self._known}
        for path in new[:PORTION]:
            with suppress(UnreadableInstance):
                self._known[path] = SourceInstance(path, read_header(path))
        self._next_look = now if len(new) > PORTION else now + LOOK_S

    def take(self) -> dict[Path, SourceInstance]:
        """Everything that is known, which is then forgotten here."""
        known, self._known = self._known, {}
        return known

    def _paths(self) -> list[Path]:
        silent = datetime.now(UTC) - timedelta(seconds=SILENCE_S)
        query = (
            sa.select(instances.c.path)
            .join(series, series.c.series_instance_uid == instances.c.series_instance_uid)
            .where(
                series.c.state == SeriesState.RECEIVING,
                series.c.last_received < silent,
                instances.c.deleted.is_(None),
            )
            .limit(MOST)
        )
        with self._database.connect() as connection:
            return [self._data_dir / path for path in connection.execute(query).scalars()]
