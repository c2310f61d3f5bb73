"""The check of derived objects, begun in a process of its own while the next ones are written.

Two threads of Python take turns, two processes do not. It is a head start only: where the process
is not ready, or gone, the step checks everything itself.
"""

from __future__ import annotations

import logging
import multiprocessing
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path

from dicom_profiles.checks.check import Finding
from node.steps.folder import JobFolder
from node.working.check_process import GONE, Conclude, Open, Watch, look_beside

log = logging.getLogger(__name__)


class CheckBeside:
    """The worker's end: gives orders to the process, one job at a time.

    Whatever happens to the process, nothing is raised here.
    """

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._lock = threading.Lock()
        self._process: SpawnProcess | None = None
        self._pipe: Connection | None = None
        self._is_ready = False
        self._folder: Path | None = None

    @property
    def pid(self) -> int | None:
        """Of the process, None while there is none."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the process; it is ready some two seconds later."""
        with self._lock:
            self._start()

    def stop(self) -> None:
        """End the process."""
        with self._lock:
            self._let_go()

    def open(self, job: JobFolder) -> None:
        """Begin with a job; another one is forgotten."""
        with self._lock, self._surviving():
            self._folder = None
            if self._pipe is not None and self._ready(self._pipe):
                self._pipe.send(Open(job.path, job.data_dir))
                self._folder = job.path

    def knows(self, job: JobFolder) -> bool:
        """Whether the process was told of that job last, and has not said what it found."""
        return self._folder == job.path

    def watch(self, job: JobFolder) -> None:
        """The job's objects are about to be written."""
        with self._lock, self._surviving():
            if self._pipe is not None and self.knows(job):
                self._pipe.send(Watch())

    def findings(self, job: JobFolder, paths: list[Path]) -> list[Finding] | None:
        """What is wrong with a job's derived objects.

        Args:
            job: the job.
            paths: of the objects.

        Returns:
            As of `check_derived`; None when the process does not know.
        """
        answer: list[Finding] | None = None
        with self._lock, self._surviving():
            if self._pipe is not None and self.knows(job):
                self._folder = None
                self._pipe.send(Conclude(tuple(paths)))
                answer = self._pipe.recv()
        return answer

    def _start(self) -> None:
        self._pipe, theirs = self._context.Pipe()
        self._process = self._context.Process(
            target=look_beside, args=(theirs,), name="vscanner-check"
        )
        self._process.start()
        theirs.close()
        self._is_ready = False

    def _ready(self, pipe: Connection) -> bool:
        """Whether the process has said that it has imported everything; asked, not waited for."""
        if not self._is_ready and pipe.poll():
            self._is_ready = pipe.recv()
        return self._is_ready

    def _let_go(self) -> None:
        if self._pipe is not None and self._process is not None:
            self._pipe.close()
            self._process.kill()
            self._process.join()
        self._pipe, self._process, self._folder = None, None, None

    @contextmanager
    def _surviving(self) -> Iterator[None]:
        """A process that is gone is started anew."""
        try:
            yield
        except GONE:
            facts = {"action": "check_beside_gone"}
            log.warning("the process that checks what is written ended; again", extra=facts)
            self._let_go()
            self._start()
