"""Processes that die at a point of their own work, where a power cut would have left something.

A point is what outlives the process: a file synced, renamed or deleted, a transaction committed, a
message sent or received. The process counts its points by the place in our code (or in DBOS's) that
made them, writes them down, and kills itself right after the one that it was told.
"""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from types import FrameType
from typing import Any

import dbos
from pynetdicom.dimse import DIMSEServiceProvider
from sqlalchemy.engine.default import DefaultDialect

from node import assembler, receiver, worker
from node.config import Config
from node.database.tables import open_database
from node.logs import set_up_logging
from node.retention.deletion import Retention
from node.retention.records import sweep_records
from node.service import open_listener
from node.working.doubts import Doubts
from tests.node.smoothing import Smoothing

ON_FILES = ("fsync", "fdatasync", "replace", "rename", "link", "unlink", "rmdir", "mkdir")
ON_SOCKETS = ("sendall", "recv")
ROOT = Path(__file__).parents[2]
CODE = {  # folder: so it is called in the name of a place
    str(ROOT / "node"): "",
    str(ROOT / "pipelines"): "",
    str(ROOT / "dicom_profiles"): "",
    str(Path(dbos.__file__).parent): "dbos.",
}
CALLERS = 3
"""So many functions of a call stack name a place."""


@dataclass(frozen=True)
class Point:
    """Right after the how many-th operation at a place."""

    place: str
    number: int = 1

    def __str__(self) -> str:
        return f"{self.number} {self.place}"


class Counting:
    """Counts the points of this process.

    Args:
        trace: gets a line for each.
        last: the one that is not survived.
    """

    def __init__(self, trace: Path, last: Point | None) -> None:
        self._file = os.open(trace, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._last = last
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def reached(self, kind: str) -> None:
        """An operation was done just now."""
        place = f"{kind} {_place(sys._getframe(2))}"
        with self._lock:
            self._counts[place] += 1
            point = Point(place, self._counts[place])
            os.write(self._file, f"{point}\n".encode())
            if point == self._last:
                os.kill(os.getpid(), signal.SIGKILL)

    def after(self, kind: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, counted."""

        @functools.wraps(function)
        def counted(*arguments: Any, **options: Any) -> Any:
            result = function(*arguments, **options)
            self.reached(kind)
            return result

        return counted

    def begin(self) -> None:
        """Count everything from now on."""
        for name in ON_FILES:
            setattr(os, name, self.after(name, getattr(os, name)))
        for name in ON_SOCKETS:
            setattr(socket.socket, name, self.after(name, getattr(socket.socket, name)))
        for owner, name in ((DIMSEServiceProvider, "send_msg"), (DIMSEServiceProvider, "get_msg")):
            setattr(owner, name, self.after(name, getattr(owner, name)))
        commit: Callable[[DefaultDialect, Any], None] = DefaultDialect.do_commit

        def counted_commit(dialect: DefaultDialect, connection: Any) -> None:
            wrote = getattr(connection.dbapi_connection, "in_transaction", True)
            commit(dialect, connection)
            if wrote:
                self.reached("commit")

        DefaultDialect.do_commit = counted_commit  # type: ignore[method-assign]


def _place(frame: FrameType | None) -> str:
    """The functions of our code, or of DBOS's, that are being called; the innermost first."""
    names: list[str] = []
    while frame is not None and len(names) < CALLERS:
        path = frame.f_code.co_filename
        for folder, name in CODE.items():
            if path.startswith(folder):
                names.append(f"{name}{Path(path).stem}.{frame.f_code.co_qualname}")
        frame = frame.f_back
    return " < ".join(names)


def points_of(trace: Path) -> list[Point]:
    """What a process has written down."""
    lines = (line.split(" ", 1) for line in trace.read_text().splitlines())
    return [Point(place, int(number)) for number, place in lines]


@contextlib.contextmanager
def running(
    role: Callable[[Config], None], config: Config, trace: Path, last: Point | None = None
) -> Iterator[ForkServerProcess]:
    """A process that has imported everything already; killed when the block ends.

    Args:
        role: what it does.
        config: of the node.
        trace: gets its points; its log lies beside it.
        last: the point that it does not survive.
    """
    forks = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload(["tests.faults.warm"])
    process = forks.Process(target=_body, args=(role, config, trace, last))
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()
        process.close()


def _body(role: Callable[[Config], None], config: Config, trace: Path, last: Point | None) -> None:
    log = os.open(trace.with_suffix(".log"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for standard in (1, 2):
        os.dup2(log, standard)
    set_up_logging()
    Counting(trace, last).begin()
    role(config)


def receive(config: Config) -> None:
    """The receiver, on a port of its own."""
    receiver.main(config, open_listener(config))


def assemble(config: Config) -> None:
    """The assembler."""
    assembler.main(config)


def work(config: Config) -> None:
    """The worker, with the pipeline that needs no network."""
    worker.run(config, lambda _name: Smoothing())


def sweep(config: Config) -> None:
    """What a worker deletes now and then, at once."""
    database, now = open_database(config.node), datetime.now(UTC)
    Retention(database, config.node.data_dir, config.retention).sweep(now)
    sweep_records(database, config.retention, now)


def look_into_doubts(config: Config) -> None:
    """What a worker does now and then about late reports; nobody begins what it would deliver."""
    Doubts(config, open_database(config.node), lambda _work: None).look()
