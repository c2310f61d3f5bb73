"""The folder `incoming/`: durable files as received, not yet admitted to the spool.

A file is written under a working name, checked and synced, then renamed into the folder, and the
folder is synced; only then may the sender hear of success. What a killed process leaves behind
under a working name was never acknowledged and is removed by the next one.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import mmap
import os
import re
import secrets
import shutil
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, NoReturn

from node.spooling.elements import (
    Buffer,
    Encoding,
    encoding_of,
    inflated,
    walk,
)
from node.spooling.errors import InstanceMismatch, SpoolFull, UnreadableDataset
from node.spooling.file_meta import ReceivedFacts, write_file_meta

FOLDER = "incoming"
WORK_PREFIX = ".work-"
INSTANCE_SUFFIX, NOTE_SUFFIX = ".dcm", ".json"
TIME_FORMAT = "%Y%m%dT%H%M%S.%fZ"
FOREIGN_KEEP_S = 86_400.0  # a working folder of another machine unused for so long is a dead one's
FILE_MODE = 0o640  # patient data: nobody else reads it
MAX_ELEMENTS = 65_536  # not counting those in sequences; real objects stay below a thousand

# PS3.5 9.1, and nothing that could leave a folder when the UID names a file.
UID_PATTERN = re.compile(r"[0-9]+(?:\.[0-9]+)*")
MAX_UID_LENGTH = 64
MAX_PADDED_UID_BYTES = 80  # some senders pad by more than the one byte of PS3.5 9.1

# PS3.3 C.7.2.1, C.7.3.1, C.12.1
SOP_CLASS_UID, SOP_INSTANCE_UID = 0x00080016, 0x00080018
STUDY_INSTANCE_UID, SERIES_INSTANCE_UID = 0x0020000D, 0x0020000E
IDENTIFYING = {
    SOP_CLASS_UID: "SOP Class UID (0008,0016)",
    SOP_INSTANCE_UID: "SOP Instance UID (0008,0018)",
    STUDY_INSTANCE_UID: "Study Instance UID (0020,000D)",
    SERIES_INSTANCE_UID: "Series Instance UID (0020,000E)",
}


@dataclass(frozen=True)
class InstanceIdentity:
    """The UIDs by which an instance is filed."""

    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str


def is_uid(text: str) -> bool:
    """Whether this is a UID (PS3.5 9.1) that may name a file; leading zeros are tolerated."""
    return len(text) <= MAX_UID_LENGTH and UID_PATTERN.fullmatch(text) is not None


def identify(buffer: Buffer, start: int, stop: int, encoding: Encoding) -> InstanceIdentity:
    """Walk a whole data set and take the UIDs out of it.

    Raises:
        UnreadableDataset: it is cut short, malformed, endless, or an identifying UID is absent or
            wrong.
    """
    found: dict[int, str] = {}
    for number, (tag, _, first, end) in enumerate(walk(buffer, start, stop, encoding)):
        if number >= MAX_ELEMENTS:
            raise UnreadableDataset(
                f"Wanted a data set of at most {MAX_ELEMENTS} elements, got more; it is no DICOM "
                "information object."
            )
        if tag in IDENTIFYING:
            value = bytes(buffer[first:end]) if end - first <= MAX_PADDED_UID_BYTES else b"?"
            found[tag] = value.decode("latin-1").strip(" \0")
    for tag, name in IDENTIFYING.items():
        if not is_uid(found.get(tag, "")):
            state = "one that is not a UID" if found.get(tag) else "none"
            raise UnreadableDataset(
                f"The data set needs a {name}, got {state}; correct it at the sender."
            )
    return InstanceIdentity(*(found[tag] for tag in IDENTIFYING))


def identify_dataset(data: Buffer, transfer_syntax_uid: str) -> InstanceIdentity:
    """Identify a data set in its transfer syntax; see `identify`."""
    encoding = encoding_of(transfer_syntax_uid)
    if encoding.deflated:
        data = inflated(data)
    return identify(data, 0, len(data), encoding)


class Incoming:
    """The folder of received files of one data directory.

    Args:
        data_dir: the node's data directory.
        min_free_bytes: below this free space nothing more is taken.
    """

    def __init__(self, data_dir: Path, min_free_bytes: int = 0) -> None:
        self.folder = data_dir / FOLDER
        self.min_free_bytes = min_free_bytes
        self._numbers = count()
        self._lock = threading.Lock()
        self._work: Path | None = None
        self._folder_fd = -1

    def begin(self, facts: ReceivedFacts) -> IncomingFile:
        """Start an instance.

        Raises:
            SpoolFull: there is no room.
        """
        try:
            work = self._open()
            free = os.statvfs(self._folder_fd)
            if free.f_bavail * free.f_frsize < self.min_free_bytes:
                raise SpoolFull(
                    f"Free space fell below {self.min_free_bytes} bytes (node.min_free_bytes); "
                    "make room in node.data_dir."
                )
            name = self._name(facts.association)
            return IncomingFile(self, work / name, facts)
        except OSError as error:
            refuse_for_space(error)

    def write_note(self, association: str, facts: Mapping[str, Any]) -> None:
        """Leave what is known at the end of an association, for admission to record.

        It is evidence, not data: it is renamed into place whole, but not synced.
        """
        name = self._name(association)
        part = self._open() / name
        part.write_text(json.dumps(facts))
        part.rename(self.folder / (name + NOTE_SUFFIX))

    def place(self, part: Path) -> Path:
        """Rename a synced file into the folder and make the name durable too."""
        path = self.folder / (part.name + INSTANCE_SUFFIX)
        part.rename(path)
        os.fsync(self._folder_fd)
        return path

    def _name(self, association: str) -> str:
        now = datetime.now(UTC).strftime(TIME_FORMAT)
        return f"{now}-{association}-{next(self._numbers):06d}"

    def _open(self) -> Path:
        """This process's working folder; made, and those of the dead removed, at first use.

        It is made again when somebody took it away: else nothing could be received any more.
        """
        with self._lock:
            if self._work is None or not self._work.is_dir():
                self.folder.mkdir(parents=True, exist_ok=True)
                # An earlier descriptor stays open: another thread may be about to sync it.
                self._folder_fd = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
                remove_abandoned(self.folder)
                self._work = _locked_folder(self.folder)
            return self._work


class IncomingFile:
    """One instance on its way to disk: `write` it piece by piece, then `commit` or `discard`."""

    def __init__(self, incoming: Incoming, part: Path, facts: ReceivedFacts) -> None:
        self.facts = facts
        self.size_bytes = 0
        self._incoming = incoming
        self._part = part
        self._meta = write_file_meta(facts)
        self._fd = os.open(part, os.O_CREAT | os.O_EXCL | os.O_RDWR, FILE_MODE)
        try:
            self._write(memoryview(self._meta))
        except OSError:
            self.discard()
            raise

    def write(self, data: memoryview) -> None:
        """Append a piece of the data set.

        Raises:
            SpoolFull: the disk is full; the half-written file is gone.
        """
        try:
            self._write(data)
        except OSError as error:
            self.discard()
            refuse_for_space(error)
        self.size_bytes += len(data)

    def commit(self) -> InstanceIdentity:
        """Check the data set, make it durable and give it its name.

        Raises:
            UnreadableDataset: it is cut short, malformed or lacks a UID.
            InstanceMismatch: it is not the instance that was announced.
            SpoolFull: the disk is full.
        """
        try:
            identity = self._identify()
            self._check(identity)
            os.fsync(self._fd)
            self._incoming.place(self._part)
        except OSError as error:
            refuse_for_space(error)
        finally:
            self.discard()  # after a success the working name is no more
        return identity

    def discard(self) -> None:
        """Leave nothing of it; harmless when done already."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            self._part.unlink(missing_ok=True)

    def _write(self, data: memoryview) -> None:
        while data:
            data = data[os.write(self._fd, data) :]

    def _identify(self) -> InstanceIdentity:
        if not self.size_bytes:
            raise UnreadableDataset("Wanted a data set, got none; send the instance again.")
        with (
            mmap.mmap(self._fd, 0, prot=mmap.PROT_READ) as mapped,
            memoryview(mapped) as whole,
            whole[len(self._meta) :] as data,
        ):
            return identify_dataset(data, self.facts.transfer_syntax_uid)

    def _check(self, identity: InstanceIdentity) -> None:
        facts = self.facts
        for name, announced, found in (
            ("SOP Class", facts.sop_class_uid, identity.sop_class_uid),
            ("SOP Instance", facts.sop_instance_uid, identity.sop_instance_uid),
            ("Study Instance", facts.study_instance_uid, identity.study_instance_uid),
        ):
            if announced and announced != found:
                raise InstanceMismatch(
                    f"The {name} UID was announced as {announced}, but the data set has {found}; "
                    "correct it at the sender."
                )


def refuse_for_space(error: OSError) -> NoReturn:
    """Turn an error of the file system into the answer that makes a sender try again later."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    sentence = "The disk is full" if full else f"The disk cannot be written ({error.strerror})"
    raise SpoolFull(f"{sentence}; make room in, or repair, node.data_dir.") from error


def received_at(name: str) -> datetime | None:
    """When the file of that name in `incoming/` was received, UTC; None when it is not ours."""
    try:
        return datetime.strptime(name.split("-", 1)[0], TIME_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[bool]:
    """Hold a lock on a file or folder; gives False when somebody else holds it."""
    fd = os.open(path, os.O_RDONLY)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
        else:
            yield True
    finally:
        os.close(fd)


@contextlib.contextmanager
def nothing_admitted(data_dir: Path) -> Iterator[bool]:
    """Hold the lock of admission; gives False when something is admitted just now."""
    incoming = data_dir / FOLDER
    incoming.mkdir(parents=True, exist_ok=True)
    with exclusive(incoming) as free:
        yield free


def remove_abandoned(folder: Path) -> None:
    """Remove the working folders of processes that are gone: their locks went with them.

    Locks of another machine may not be seen from here: what is used there is left to it.
    """
    for work in folder.glob(WORK_PREFIX + "*"):
        with contextlib.suppress(FileNotFoundError):
            is_ours = work.name.startswith(f"{WORK_PREFIX}{socket.gethostname()}-")
            if not is_ours and time.time() - work.stat().st_mtime < FOREIGN_KEEP_S:
                continue
            with exclusive(work) as free:
                if free:
                    shutil.rmtree(work, ignore_errors=True)


def _locked_folder(folder: Path) -> Path:
    """A fresh working folder; its lock, and so the descriptor, is held as long as we live."""
    while True:
        work = folder / f"{WORK_PREFIX}{socket.gethostname()}-{secrets.token_hex(6)}"
        work.mkdir(mode=0o750)
        with contextlib.suppress(OSError):  # another process took it for an abandoned one
            fd = os.open(work, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if work.is_dir():
                return work
