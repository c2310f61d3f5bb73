"""The processes of a role: started, watched, restarted when they die, ended together.

    serve    receivers, assembler, worker, web
    receive  receivers, assembler
    work     worker
    web      web

Every process gets the same frozen configuration. The listening socket is opened once, here, so
that a port in use is one clear error and all receivers share it. A process that dies is started
again after a growing pause; a service that dies takes its processes with it, since each of them
holds the reading end of a pipe that closes with it.
"""

from __future__ import annotations

import errno
import importlib
import logging
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path

from node.config import Config
from node.database.waiting import DatabaseWait, log_failure
from node.errors import NodeError
from node.logs import set_up_logging

log = logging.getLogger(__name__)

ROLES = {
    "serve": ("receiver", "assembler", "worker", "web"),
    "receive": ("receiver", "assembler"),
    "work": ("worker",),
    "web": ("web",),
}
ENTRIES = {  # part: (module, function); imported in the child only, so that only workers load torch
    "receiver": ("node.receiver", "main"),
    "assembler": ("node.assembler", "main"),
    "worker": ("node.worker", "main"),
    "web": ("node.web.server", "main"),
}
WITHOUT_DATABASE = frozenset({"receiver"})
"""Parts that do their work while the database is away."""

NICENESS = {"assembler": 5, "worker": 5}
"""Scheduling: a PACS that waits for an answer goes before work that can wait."""

BACKLOG = 128  # associations that may wait to be accepted
WATCH_S = 0.2  # how often dead processes are looked for
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
STEADY_S = 60.0  # a process that lived this long starts again without a growing pause
GRACE_S = 20.0  # time to finish what is under way before it is killed


class PortInUse(NodeError):  # noqa: N818 - says what is wrong
    """Our port cannot be opened."""


class DataDirUnusable(NodeError):  # noqa: N818 - says what is wrong
    """The data directory cannot be made or written."""


@dataclass
class Part:
    """One process of the service and its history."""

    name: str
    number: int
    process: SpawnProcess | None = None
    started: float = 0.0
    pause_s: float = FIRST_PAUSE_S
    restart_at: float = field(default=0.0)


class Service:
    """Runs the processes of one role until it is told to stop.

    Args:
        role: a key of `ROLES`.
        config: the node's configuration.
    """

    def __init__(self, role: str, config: Config) -> None:
        self.config = config
        self.parts = [
            Part(name, number)
            for name in ROLES[role]
            for number in range(config.node.receivers if name == "receiver" else 1)
        ]
        self._stopping = threading.Event()
        self._database = DatabaseWait(config.node)
        self._context = multiprocessing.get_context("spawn")
        self._lifeline, self._our_end = self._context.Pipe(duplex=False)
        try_data_dir(config.node.data_dir)
        if "web" in ROLES[role]:
            try_web_port(config)
        self._listener = open_listener(config) if "receiver" in ROLES[role] else None

    def run(self) -> None:
        """Start everything, and return when all of it has ended after `stop`.

        Raises:
            NodeError: the database is not for this version of the program.
        """
        try:
            while True:
                answers = self._database.answers()
                for part in self.parts:
                    self._watch(part, answers)
                if self._stopping.wait(WATCH_S):
                    return
        finally:
            self._end()

    def stop(self) -> None:
        """Ask `run` to end; safe in a signal handler and in another thread."""
        self._stopping.set()

    def _start(self, part: Part) -> None:
        listener = self._listener if part.name == "receiver" else None
        process = self._context.Process(
            target=run_part,
            args=(part.name, self.config, self._lifeline, listener),
            name=f"vscanner-{part.name}-{part.number}",
        )
        process.start()
        part.process, part.started, part.restart_at = process, time.monotonic(), 0.0
        facts = {"action": "part_started", "part": part.name, "pid": process.pid}
        log.info("started %s", part.name, extra=facts)

    def _watch(self, part: Part, answers: bool) -> None:
        now = time.monotonic()
        if part.process is not None and part.process.exitcode is not None:
            if now - part.started > STEADY_S:
                part.pause_s = FIRST_PAUSE_S
            log.warning(
                "%s ended by itself (exit code %s); starting it again in %.0f s",
                part.name,
                part.process.exitcode,
                part.pause_s,
                extra={"action": "part_died", "part": part.name},
            )
            part.process, part.restart_at = None, now + part.pause_s
            part.pause_s = min(2 * part.pause_s, LONGEST_PAUSE_S)
            self._database.doubt()
        if part.process is None and now >= part.restart_at and self._may_start(part, answers):
            self._start(part)

    def _may_start(self, part: Part, answers: bool) -> bool:
        """A part that needs the database waits for it; after a while the page says so to people."""
        says_so = part.name == "web" and self._database.is_said
        return answers or says_so or part.name in WITHOUT_DATABASE

    def _end(self) -> None:
        self._database.stop()
        running = [part.process for part in self.parts if part.process is not None]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + GRACE_S
        for process in running:
            process.join(max(0.0, deadline - time.monotonic()))
            if process.exitcode is None:
                process.kill()
                process.join()
        self._our_end.close()
        if self._listener is not None:
            self._listener.close()
        log.info("stopped", extra={"action": "service_stopped"})


def run_role(role: str, config: Config) -> int:
    """Run a role until SIGTERM or Ctrl-C.

    Returns:
        The exit code.

    Raises:
        PortInUse: the DICOM port cannot be opened.
        DatabaseTooNew: a newer version has used the database.
    """
    service = Service(role, config)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: service.stop())
    service.run()
    return 0


def open_listener(config: Config) -> socket.socket:
    """The socket on which all receivers accept associations.

    Raises:
        PortInUse: it cannot be opened; the sentence names host and port.
    """
    host, port = config.node.host, config.node.port
    listener = socket.socket(_family(host), socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise PortInUse(
            f"The node needs {host}:{port} for DICOM, got: {error.strerror}; "
            "end the other program, or set another node.port or node.host."
        ) from error
    listener.listen(BACKLOG)
    return listener


def try_data_dir(folder: Path) -> None:
    """Make sure that the data directory is there and ours; a full disk is no reason not to start.

    Raises:
        DataDirUnusable: it cannot; the sentence names it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        reason = _why_not_writable(folder)
    except OSError as error:
        reason = error.strerror or str(error)
    if reason:
        raise DataDirUnusable(
            f"The node needs a folder that it can write, {folder}, got: {reason}; "
            "give it to this user or set another node.data_dir."
        )


def _why_not_writable(folder: Path) -> str:
    """Empty where it can be; `os.access` alone does not tell a read-only mount from rights."""
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        return os.strerror(errno.EROFS)
    return "" if os.access(folder, os.W_OK | os.X_OK) else os.strerror(errno.EACCES)


def try_web_port(config: Config) -> None:
    """Make sure that the status page can have its port; its own process opens it.

    Raises:
        PortInUse: it cannot be opened; the sentence names host and port.
    """
    host, port = config.web.host, config.web.port
    try:
        with socket.create_server((host, port), family=_family(host)):
            pass
    except OSError as error:
        raise PortInUse(
            f"The node needs {host}:{port} for the status page, got: {error.strerror}; "
            "end the other program or set another web.port or web.host."
        ) from error


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def run_part(
    name: str, config: Config, lifeline: Connection, listener: socket.socket | None
) -> None:
    """Body of a child process: set up, then the part's own `main`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the service, which ends us
    set_up_logging()
    os.nice(NICENESS.get(name, 0))
    threading.Thread(target=_follow, args=(lifeline,), daemon=True).start()
    module, function = ENTRIES[name]
    entry: Callable[..., None] = getattr(importlib.import_module(module), function)
    arguments = (config,) if listener is None else (config, listener)
    try:
        entry(*arguments)
    except Exception as error:  # noqa: BLE001 - end of the process, which the service starts again
        log_failure(log, f"{name} cannot go on", "part_failed", error)
        logging.shutdown()
        os._exit(1)  # its threads and children would keep it alive, and nobody would notice


def _follow(lifeline: Connection) -> None:
    """End this process when the service is gone: the pipe then closes."""
    try:
        lifeline.recv_bytes()
    except (EOFError, OSError):
        os.kill(os.getpid(), signal.SIGTERM)
