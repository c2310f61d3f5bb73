"""The spool: one file an instance, the truth; and the index made from it.

    incoming/                              durable, as received
    spool/<study>/<series>/<instance>.dcm  admitted, with a row in `instances`
    conflicts/                             a second content under a known UID
    rejected/                              what could not be read any more, with the reason

All four lie below `node.data_dir` and must be on one file system that has hard links.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from sqlalchemy.engine import Engine

from node.spooling.admission import Admission
from node.spooling.errors import InstanceMismatch, SpoolError, SpoolFull, UnreadableDataset
from node.spooling.file_meta import ReceivedFacts
from node.spooling.incoming import Incoming, InstanceIdentity
from node.spooling.rebuild import rebuild_index

__all__ = [
    "InstanceIdentity",
    "InstanceMismatch",
    "ReceivedFacts",
    "Spool",
    "SpoolError",
    "SpoolFull",
    "UnreadableDataset",
]

PIECE_BYTES = 1 << 20


class Spool:
    """The received instances of one data directory.

    Args:
        data_dir: the node's data directory.
        database: the node's tables.
        min_free_bytes: below this free space nothing more is received.
    """

    def __init__(self, data_dir: Path, database: Engine, min_free_bytes: int = 0) -> None:
        self.data_dir = data_dir
        self.database = database
        self.incoming = Incoming(data_dir, min_free_bytes)
        self._admission = Admission(data_dir, database)

    def receive(self, dataset: bytes | memoryview, facts: ReceivedFacts) -> InstanceIdentity:
        """Store a data set as received; when this returns, it survives a power cut.

        Args:
            dataset: without File Meta Information, in the transfer syntax that `facts` names.
            facts: what was announced.

        Raises:
            SpoolFull: there is no room.
            InstanceMismatch: it is not the instance that was announced.
            UnreadableDataset: it is cut short, malformed or lacks a UID.
        """
        file = self.incoming.begin(facts)
        for piece in _pieces(memoryview(dataset)):
            file.write(piece)
        return file.commit()

    def admit_incoming(self, limit: int = 500) -> int:
        """Bring received files into the spool and its index; may be repeated after any crash.

        Returns:
            How many files left `incoming/`.
        """
        return self._admission.run(limit)

    def admitted_until(self, now: datetime) -> datetime:
        """Until when everything that was received is in the index; `now` when all of it is."""
        return self._admission.complete_until(now)

    def rebuild_index(self) -> int:
        """Make the index anew from the files; returns how many instances it holds then."""
        return rebuild_index(self.data_dir, self.database)


def _pieces(data: memoryview) -> Iterator[memoryview]:
    for start in range(0, len(data), PIECE_BYTES):
        yield data[start : start + PIECE_BYTES]
