"""The headers of series that are still open, read while their images arrive.

When the last image is here, only its own header is left to read.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from dicom_profiles.errors import UnreadableInstance
from dicom_profiles.reading import read_header
from dicom_profiles.sources.series import SourceInstance
from node.assembling.positions import Positions, examine_positions
from node.database.tables import instances
from node.routing.rules import Explanation, Rule, route_series
from node.spooling.admission import is_our_own_limit

log = logging.getLogger(__name__)

PORTION = 300
"""Headers read at a time, so that a long series does not hold up the others."""


@dataclass
class OpenSeries:
    """What is known of a series that is not decided yet.

    Attributes:
        by_uid: SOP Instance UID to instance; None where the header cannot be read.
    """

    by_uid: dict[str, SourceInstance | None] = field(default_factory=dict)
    _explanation: tuple[int, Explanation] = (-1, Explanation(()))
    _positions: tuple[int, Positions] = (-1, Positions())

    @property
    def count(self) -> int:
        """How many images are here, unreadable ones included."""
        return len(self.by_uid)

    @property
    def instances(self) -> list[SourceInstance]:
        """The readable images."""
        return [instance for instance in self.by_uid.values() if instance is not None]

    @property
    def findings(self) -> list[str]:
        """What is wrong with single images, one sentence each."""
        unreadable = self.count - len(self.instances)
        return [f"{unreadable} image(s) cannot be read and are left out."] if unreadable else []

    def positions(self) -> Positions:
        """What the slice positions show, computed once for each count of images."""
        if self._positions[0] != self.count:
            headers = [instance.header for instance in self.instances]
            self._positions = self.count, examine_positions(headers)
        return self._positions[1]

    def explanation(self, rules: Sequence[Rule], source_ae: str) -> Explanation:
        """What the rules say, computed once for each count of images."""
        if self._explanation[0] != self.count:
            self._explanation = self.count, route_series(rules, self.instances, source_ae)
        return self._explanation[1]


class SeriesReader:
    """Reads the headers of open series, each once.

    Args:
        data_dir: the node's data directory.
        database: the node's tables.
    """

    def __init__(self, data_dir: Path, database: Engine) -> None:
        self.data_dir = data_dir
        self.database = database
        self._open: dict[str, OpenSeries] = {}

    def read(self, row: Any) -> OpenSeries | None:
        """Bring the headers of a series up to date.

        Args:
            row: of the table `series`.

        Returns:
            The series, or None when more headers are left to read at the next call.
        """
        uid = row.series_instance_uid
        opened = self._open.setdefault(uid, OpenSeries())
        if opened.count == row.instance_count:
            return opened
        new = [found for found in self._paths(uid) if found[0] not in opened.by_uid]
        for sop_instance_uid, path in new[:PORTION]:
            opened.by_uid[sop_instance_uid] = self._instance(path)
        return opened if len(new) <= PORTION else None

    def forget(self, series_instance_uid: str) -> None:
        """Let go of the headers of a series that is decided."""
        self._open.pop(series_instance_uid, None)

    def _paths(self, uid: str) -> list[tuple[str, Path]]:
        columns = instances.c
        query = sa.select(columns.sop_instance_uid, columns.path).where(
            columns.series_instance_uid == uid, columns.deleted.is_(None)
        )
        with self.database.connect() as connection:
            rows = connection.execute(query)
            return [(row.sop_instance_uid, self.data_dir / row.path) for row in rows]

    def _instance(self, path: Path) -> SourceInstance | None:
        try:
            return SourceInstance(path, read_header(path))
        except UnreadableInstance as error:
            if error.__cause__ is not None and is_our_own_limit(error.__cause__):
                raise error.__cause__ from error  # that says nothing about the image
            facts = {"action": "header_unreadable", "file": path.name}
            log.warning("a header cannot be read: %s", error, extra=facts)
            return None
