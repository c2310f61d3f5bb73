"""Admission: from `incoming/` into the spool and its index, a batch at a time.

A file gets its second name in the spool (a hard link) and the folders are synced; then the rows
are committed; only then its name in `incoming/` goes. So that name is the note of what is still
to do: after a crash between any two lines the next run takes the file up again and comes to the
same end.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import logging
import mmap
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy.engine import Connection, Engine

from dicom_profiles.encoding.part10 import sync_folder
from node.counters import add_counts
from node.spooling import rows
from node.spooling.attributes import JSON, header_attributes
from node.spooling.elements import Buffer, encoding_of, inflated
from node.spooling.errors import UnreadableDataset
from node.spooling.file_meta import FileMeta, read_file_meta
from node.spooling.incoming import (
    FOLDER,
    IDENTIFYING,
    INSTANCE_SUFFIX,
    NOTE_SUFFIX,
    InstanceIdentity,
    exclusive,
    is_uid,
    received_at,
)

log = logging.getLogger(__name__)

SPOOL, CONFLICTS, REJECTED = "spool", "conflicts", "rejected"
OUR_OWN_LIMITS = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN))
"""What the system says when this process may have no more; it says nothing about a file."""


def is_our_own_limit(error: BaseException) -> bool:
    """Whether the system refused us something, which may be had later."""
    return isinstance(error, OSError) and error.errno in OUR_OWN_LIMITS


@dataclass(frozen=True)
class Candidate:
    """A received file and what was read of it."""

    path: Path
    received: datetime
    meta: FileMeta
    identity: InstanceIdentity
    sha256: str  # of the data set as received, without the File Meta Information
    size_bytes: int
    attributes: JSON

    @property
    def place(self) -> str:
        """Where it belongs, below the data directory."""
        uids = self.identity
        folder = f"{SPOOL}/{uids.study_instance_uid}/{uids.series_instance_uid}"
        return f"{folder}/{uids.sop_instance_uid}{INSTANCE_SUFFIX}"

    def row(self) -> dict[str, Any]:
        """Its row of `instances`."""
        return {
            "sop_instance_uid": self.identity.sop_instance_uid,
            "series_instance_uid": self.identity.series_instance_uid,
            "study_instance_uid": self.identity.study_instance_uid,
            "sop_class_uid": self.identity.sop_class_uid,
            "transfer_syntax_uid": self.meta.transfer_syntax_uid,
            "source_ae": self.meta.source_ae,
            "received": self.received,
            "path": self.place,
            "size_bytes": self.size_bytes,
            "sha256": self.sha256,
            "attributes": self.attributes,
        }

    def conflict_row(self) -> dict[str, Any]:
        """Its row of `conflicts`."""
        return {
            "sop_instance_uid": self.identity.sop_instance_uid,
            "series_instance_uid": self.identity.series_instance_uid,
            "source_ae": self.meta.source_ae,
            "received": self.received,
            "path": f"{CONFLICTS}/{self.identity.sop_instance_uid}-{self.sha256}{INSTANCE_SUFFIX}",
            "sha256": self.sha256,
        }


@dataclass
class Batch:
    """What one run of admission will write, and what it did with each file."""

    instances: list[dict[str, Any]] = field(default_factory=list)
    conflicts: list[dict[str, Any]] = field(default_factory=list)
    associations: list[dict[str, Any]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    folders: set[Path] = field(default_factory=set)
    series: set[str] = field(default_factory=set)
    aside: set[tuple[str, str]] = field(default_factory=set)  # UID, digest: kept aside before
    done: list[Path] = field(default_factory=list)  # names in `incoming/` that may go


class Admission:
    """Brings received files into the spool of one data directory.

    Args:
        data_dir: the node's data directory; one file system, with hard links.
        database: the node's tables.
    """

    def __init__(self, data_dir: Path, database: Engine) -> None:
        self.data_dir = data_dir
        self.database = database
        self.folder = data_dir / FOLDER

    def run(self, limit: int) -> int:
        """Admit up to `limit` files, oldest first; nothing while another process admits.

        Returns:
            How many files of instances left `incoming/`.
        """
        if not self.folder.is_dir():
            return 0
        with exclusive(self.folder) as free:
            return self._run(self._waiting(limit)) if free else 0

    def _waiting(self, limit: int) -> list[str]:
        with os.scandir(self.folder) as entries:
            names = [e.name for e in entries if e.name.endswith((INSTANCE_SUFFIX, NOTE_SUFFIX))]
        return sorted(names)[:limit]

    def complete_until(self, now: datetime) -> datetime:
        """When the oldest instance that still waits was received; `now` when none waits."""
        if not self.folder.is_dir():
            return now
        with os.scandir(self.folder) as entries:
            names = [entry.name for entry in entries if entry.name.endswith(INSTANCE_SUFFIX)]
        waiting = [received_at(name) for name in names]
        return min([now, *(received for received in waiting if received is not None)])

    def _run(self, names: Sequence[str]) -> int:
        if not names:
            return 0
        batch = Batch()
        files = [self.folder / name for name in names if name.endswith(INSTANCE_SUFFIX)]
        notes = [self.folder / name for name in names if name.endswith(NOTE_SUFFIX)]
        candidates = list(self._readable(files, batch))
        for note in notes:
            self._take_note(note, batch)
        with self.database.begin() as connection:
            self._place(connection, candidates, batch)
            for folder in sorted(batch.folders):
                sync_folder(folder)
            write_rows(connection, batch)
        for path in batch.done:
            path.unlink(missing_ok=True)
        _log_batch(batch)
        return len(files)

    def _readable(self, files: Iterable[Path], batch: Batch) -> Iterable[Candidate]:
        for path in files:
            try:
                yield read_candidate(path)
            except (UnreadableDataset, OSError) as error:
                if is_our_own_limit(error):
                    raise  # the file waits
                self._reject(path, str(error))
                batch.counts["rejected"] += 1
            except MemoryError:
                raise  # so does this one
            except Exception as error:  # boundary: one odd file must not stop the others
                log.exception("admission failed", extra={"action": "admission_failed"})
                name = type(error).__name__
                self._reject(path, f"The node failed on this file ({name}); its log says why.")
                batch.counts["rejected"] += 1

    def _place(self, connection: Connection, found: Sequence[Candidate], batch: Batch) -> None:
        uids = {candidate.identity.sop_instance_uid for candidate in found}
        known = rows.known_instances(connection, uids)
        batch.aside = rows.known_conflicts(connection, uids)
        for candidate in found:
            uid = candidate.identity.sop_instance_uid
            if uid not in known:
                kept = self._keep(candidate, batch)
                known[uid] = rows.KnownInstance(kept.sha256, kept.place, None)
                if kept is candidate:
                    batch.done.append(candidate.path)
                    continue
            self._compare(candidate, known[uid], batch)
            batch.done.append(candidate.path)

    def _keep(self, candidate: Candidate, batch: Batch) -> Candidate:
        """Give it its name in the spool; a file that is there before it is the one to keep."""
        place = self.data_dir / candidate.place
        if not self._link(candidate.path, place, batch) and not place.samefile(candidate.path):
            try:
                candidate = read_candidate(place)  # the index was lost: the file is the truth
            except UnreadableDataset as error:
                self._reject(place, str(error))
                self._link(candidate.path, place, batch)
        batch.instances.append(candidate.row())
        batch.series.add(candidate.identity.series_instance_uid)
        batch.counts["admitted"] += 1
        return candidate

    def _compare(self, candidate: Candidate, known: rows.KnownInstance, batch: Batch) -> None:
        """The UID is known already: the same content, or a second one?"""
        place = self.data_dir / known.path
        if candidate.sha256 != known.sha256:
            self._keep_aside(candidate, batch)
        elif not place.exists():  # deleted by retention, and sent again
            self._link(candidate.path, place, batch)
            batch.instances.append({**candidate.row(), "path": known.path})
            batch.series.add(candidate.identity.series_instance_uid)
            batch.counts["admitted"] += 1
        elif not place.samefile(candidate.path):  # else it is what a crash left to do
            batch.counts["duplicate"] += 1

    def _keep_aside(self, candidate: Candidate, batch: Batch) -> None:
        row = candidate.conflict_row()
        content = (row["sop_instance_uid"], row["sha256"])
        if content in batch.aside:
            return
        batch.aside.add(content)
        self._link(candidate.path, self.data_dir / row["path"], batch)
        batch.conflicts.append(row)
        batch.counts["conflict"] += 1
        log.warning(
            "a second content came under a known SOP Instance UID and was kept aside",
            extra={"action": "instance_conflict", "sop_instance_uid": row["sop_instance_uid"]},
        )

    def _link(self, source: Path, place: Path, batch: Batch) -> bool:
        """Give a file a second name; False when that name is taken."""
        folder = place.parent
        if folder not in batch.folders:
            folder.mkdir(parents=True, exist_ok=True)
            above = (parent for parent in folder.parents if parent.is_relative_to(self.data_dir))
            batch.folders |= {folder, *above}
        try:
            os.link(source, place)
        except FileExistsError:
            return False
        return True

    def _take_note(self, path: Path, batch: Batch) -> None:
        """Record how an association ended; a note that cannot be read is no evidence."""
        with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
            note = json.loads(path.read_text())
            batch.associations += [
                {
                    "association": note["association"],
                    "series_instance_uid": uid,
                    "source_ae": note["source_ae"],
                    "outcome": note["outcome"],
                    "instance_count": count,
                    "ended": datetime.fromisoformat(note["ended"]),
                }
                for uid, count in note["series"].items()
            ]
        batch.done.append(path)

    def _reject(self, path: Path, reason: str) -> None:
        folder = self.data_dir / REJECTED
        folder.mkdir(exist_ok=True)
        (folder / f"{path.name}.reason").write_text(reason + "\n")
        path.rename(folder / path.name)
        log.warning(
            "a received file could not be admitted: %s",
            reason,
            extra={"action": "instance_rejected", "file": path.name},
        )


def write_rows(connection: Connection, batch: Batch) -> None:
    """Everything that a batch changes in the database, in one transaction."""
    rows.insert_instances(connection, batch.instances)
    rows.insert_conflicts(connection, batch.conflicts)
    rows.insert_associations(connection, batch.associations)
    rows.refresh_series(connection, batch.series)
    add_counts(connection, {("instances", label): n for label, n in batch.counts.items()})


def read_candidate(path: Path) -> Candidate:
    """Read what admission needs of a file that this node wrote.

    Raises:
        UnreadableDataset: it is not such a file any more.
    """
    status = path.stat()
    if not status.st_size:
        raise UnreadableDataset("Wanted a DICOM Part 10 file, got an empty one.")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        meta = read_file_meta(mapped, status.st_size)
        with memoryview(mapped) as whole, whole[meta.end :] as data:
            sha256 = hashlib.sha256(data).hexdigest()
            attributes = _attributes(data, meta.transfer_syntax_uid)
    received = received_at(path.name) or datetime.fromtimestamp(status.st_mtime, UTC)
    identity = _identity(attributes)
    return Candidate(path, received, meta, identity, sha256, status.st_size, attributes)


def _attributes(data: Buffer, transfer_syntax_uid: str) -> JSON:
    encoding = encoding_of(transfer_syntax_uid)
    if encoding.deflated:
        data = inflated(data)
    return header_attributes(data, 0, len(data), encoding)


def _identity(attributes: JSON) -> InstanceIdentity:
    uids = [attributes.get(f"{tag:08X}", {}).get("Value", [""])[0] or "" for tag in IDENTIFYING]
    if not all(map(is_uid, uids)):
        raise UnreadableDataset("The data set lacks one of the UIDs by which it is filed.")
    return InstanceIdentity(*uids)


def _log_batch(batch: Batch) -> None:
    facts = {"action": "admitted", "series": len(batch.series), **batch.counts}
    log.info("admitted received instances", extra=facts)
