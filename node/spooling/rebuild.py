"""The index made anew from the files of the spool, after the database was lost."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from node.database.tables import instances
from node.spooling.admission import (
    CONFLICTS,
    SPOOL,
    Batch,
    Candidate,
    read_candidate,
    write_rows,
)
from node.spooling.errors import UnreadableDataset
from node.spooling.incoming import INSTANCE_SUFFIX

log = logging.getLogger(__name__)

BATCH = 500


def rebuild_index(data_dir: Path, database: Engine) -> int:
    """Index every file of the spool and of the conflicts; nothing is forgotten that the rows know.

    Returns:
        How many instances the index holds then.
    """
    for group in _batches(_candidates(data_dir / SPOOL)):
        batch = Batch(instances=[c.row() for c in group])
        batch.series = {c.identity.series_instance_uid for c in group}
        _write(database, batch)
    for group in _batches(_candidates(data_dir / CONFLICTS)):
        _write(database, Batch(conflicts=[c.conflict_row() for c in group]))
    present = sa.select(sa.func.count()).where(instances.c.deleted.is_(None))
    with database.connect() as connection:
        total = int(connection.scalar(present) or 0)
    log.info("rebuilt the index", extra={"action": "index_rebuilt", "instances": total})
    return total


def _write(database: Engine, batch: Batch) -> None:
    with database.begin() as connection:
        write_rows(connection, batch)


def _candidates(folder: Path) -> Iterator[Candidate]:
    for path in sorted(folder.rglob(f"*{INSTANCE_SUFFIX}")):
        try:
            yield read_candidate(path)
        except (UnreadableDataset, OSError) as error:
            facts = {"action": "file_unreadable", "file": path.name}
            log.warning("a file of the spool was left out: %s", error, extra=facts)


def _batches(found: Iterator[Candidate]) -> Iterator[list[Candidate]]:
    while group := list(itertools.islice(found, BATCH)):
        yield group
