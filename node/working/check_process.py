"""Body of the process that checks a job's objects while the worker writes them.

It does as it is told through a pipe, one job at a time. A file that was replaced since it was
looked at is looked at again. What goes wrong makes it forget the job: the worker then checks by
itself, meets the same and says so.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TypeAlias

from dicom_profiles.checks.check import Check, Finding
from dicom_profiles.checks.iod import load_tables
from node.logs import set_up_logging
from node.steps.folder import JobFolder

LOOK_S = 0.01
"""How often the folder is looked at while objects are written."""
PATIENCE_S = 60.0
"""A job that writes nothing for so long has ended otherwise: its headers are let go."""
GONE = (EOFError, OSError)
"""What a pipe says whose other end is closed."""

Identity: TypeAlias = tuple[int, int, int]
"""Inode, time and size: what replaces a file has others."""


@dataclass(frozen=True)
class Open:
    """Order: read the sources of a job, whose objects will be written later.

    Attributes:
        folder: of the job.
        data_dir: of the node.
    """

    folder: Path
    data_dir: Path


@dataclass(frozen=True)
class Watch:
    """Order: look at what is written from now on."""


@dataclass(frozen=True)
class Conclude:
    """Order: say what is wrong with these objects, all of which are there."""

    paths: tuple[Path, ...]


Order: TypeAlias = Open | Watch | Conclude


def look_beside(pipe: Connection) -> None:
    """Body of the process: do as it is told until the worker is gone."""
    set_up_logging()  # else pydicom's warnings, which quote values, go to standard error
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the service, which ends all
    load_tables()
    looking: _Looking | None = None
    try:
        pipe.send(True)
        while True:
            order = pipe.recv() if pipe.poll(looking.pause if looking else None) else None
            if isinstance(order, Conclude):
                pipe.send(_answer(looking, order))
                looking = None
            else:
                looking = _after(looking, order)
    except GONE:
        return


def _answer(looking: _Looking | None, order: Conclude) -> list[Finding] | None:
    """What is wrong; None when the job is not known."""
    with suppress(Exception):
        return looking.conclude(order.paths) if looking else None
    return None


def _after(looking: _Looking | None, order: Open | Watch | None) -> _Looking | None:
    """The job that is looked at after an order, or after a look at one more object."""
    with suppress(Exception):
        if isinstance(order, Open):
            return _Looking(order)
        if looking is not None and (looking.watch() if order else looking.go_on()):
            return looking
    return None


class _Looking:
    """One job as the process sees it.

    Args:
        order: which job.
    """

    def __init__(self, order: Open) -> None:
        job = JobFolder(order.folder, data_dir=order.data_dir)
        self._check = Check(job.sources, for_dispatch=not job.input.ungated)
        self._derived = job.derived
        self._looked: dict[Path, Identity] = {}
        self._new: list[Path] = []
        self._until: float | None = None  # on the monotonic clock, while objects are written

    @property
    def pause(self) -> float | None:
        """How long to wait for an order; None for as long as it takes."""
        if self._new:
            return 0.0
        return None if self._until is None else LOOK_S

    def watch(self) -> bool:
        """Objects are written from now on; true."""
        self._until = time.monotonic() + PATIENCE_S
        return True

    def go_on(self) -> bool:
        """Look at one new object, or see which are new; false when nothing comes any more."""
        if self._new:
            self._look(self._new.pop())
            return self.watch()
        found = (Path(entry.path) for entry in os.scandir(self._derived))
        self._new = [path for path in found if path.suffix == ".dcm" and path not in self._looked]
        return self._until is not None and time.monotonic() < self._until

    def conclude(self, paths: tuple[Path, ...]) -> list[Finding]:
        """What is wrong with these objects."""
        for path in paths:
            self._look(path)
        return self._check.conclude(paths)

    def _look(self, path: Path) -> None:
        """Look at an object, unless it is still the one that was looked at."""
        found = path.stat()
        identity = found.st_ino, found.st_mtime_ns, found.st_size
        if self._looked.get(path) != identity:
            self._check.look(path)
            self._looked[path] = identity
