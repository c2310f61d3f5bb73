"""A worker's sign of life, and what the others do when it ends.

Every worker has a row in `executors` and renews it. An executor without a row is dead, whatever it
thinks of itself: it ends at once when it notices, and its workflows are started again by others.
So to take over a dead worker's jobs is to delete its row; who does it, or how often, is the same.

A worker on this machine that was killed is known at once, by the lock that it held. One on
another machine is known by its row, which did not change for `lost_after_s` on our own clock:
clocks of different machines are never compared.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from node.config import JobSettings
from node.database.tables import executors
from node.database.waiting import log_failure

log = logging.getLogger(__name__)

LOCKS, LOCK_SUFFIX = "workers", ".lock"
"""Folder below `data_dir`: one locked file a worker."""


class Executor:
    """This worker's row and lock.

    Args:
        database: with the table `executors`.
        data_dir: where the locks lie.
        clock: seconds that only grow.
    """

    def __init__(
        self, database: Engine, data_dir: Path, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.database = database
        self.host = socket.gethostname()
        self.id = f"{self.host}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._locks = data_dir / LOCKS
        self._clock = clock
        self._lock = -1  # descriptor of our locked file
        self._seen: dict[str, tuple[datetime, float]] = {}

    def register(self) -> None:
        """Take the lock and make the row, before any work is done."""
        self._locks.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(self._lock_path(self.id), os.O_WRONLY | os.O_CREAT, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        now = datetime.now(UTC)
        with self.database.begin() as connection:
            connection.execute(
                executors.insert().values(
                    executor_id=self.id, host=self.host, pid=os.getpid(), started=now, heartbeat=now
                )
            )

    def beat(self) -> bool:
        """Renew the row; false when it is gone and this worker has to end."""
        with self.database.begin() as connection:
            renewed = connection.execute(
                executors.update()
                .where(executors.c.executor_id == self.id)
                .values(heartbeat=datetime.now(UTC))
            )
            return renewed.rowcount == 1

    def is_registered(self) -> bool:
        """Whether our row is there: nobody has taken our jobs."""
        return self.id in self.registered()

    def registered(self) -> set[str]:
        """Ids of all executors that count as alive."""
        with self.database.connect() as connection:
            return set(connection.execute(sa.select(executors.c.executor_id)).scalars())

    def remove_dead(self, lost_after_s: float) -> list[str]:
        """Delete the rows of workers that have ended; gives their ids."""
        with self.database.connect() as connection:
            rows = connection.execute(sa.select(executors)).all()
        dead = [row.executor_id for row in rows if self._is_dead(row, lost_after_s)]
        for executor_id in dead:
            self.remove(executor_id)
        self._remove_locks_but({row.executor_id for row in rows}, lost_after_s)
        return dead

    def remove(self, executor_id: str) -> None:
        """Delete a row and its lock: from now on the executor is dead."""
        with self.database.begin() as connection:
            connection.execute(executors.delete().where(executors.c.executor_id == executor_id))
        self._lock_path(executor_id).unlink(missing_ok=True)
        if executor_id == self.id and self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _is_dead(
        self, row: sa.Row[tuple[str, str, int, datetime, datetime]], lost_after_s: float
    ) -> bool:
        if row.executor_id == self.id:
            return False
        if row.host == self.host and self._lock_is_free(row.executor_id):
            return True
        heartbeat, since = self._seen.get(row.executor_id, (None, 0.0))
        if heartbeat != row.heartbeat:
            self._seen[row.executor_id] = (row.heartbeat, self._clock())
            return False
        return self._clock() - since > lost_after_s

    def _remove_locks_but(self, known: set[str], lost_after_s: float) -> None:
        """What a worker left that was killed just before its row was made, or after it went."""
        for path in self._locks.glob(f"*{LOCK_SUFFIX}"):
            executor_id = path.name.removesuffix(LOCK_SUFFIX)
            with contextlib.suppress(FileNotFoundError):  # another worker was quicker
                is_old = time.time() - path.stat().st_mtime > lost_after_s  # else it may begin
                if is_old and executor_id not in known and self._lock_is_free(executor_id):
                    path.unlink()

    def _lock_is_free(self, executor_id: str) -> bool:
        """Whether a worker of this machine holds its lock no more, so its process has ended."""
        try:
            with self._lock_path(executor_id).open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # held, or not visible from here
            return False
        return True

    def _lock_path(self, executor_id: str) -> Path:
        return self._locks / f"{executor_id}{LOCK_SUFFIX}"


class Heartbeat:
    """Beats in a thread, and takes over what dead workers left.

    Args:
        executor: this worker's row.
        settings: how often, and after how long a worker is lost.
        recover: starts the unfinished workflows of executors that have no row; called after every
            beat, since a workflow may be claimed at the moment its worker dies.
        end: called when this worker has to end because others took its jobs.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        executor: Executor,
        settings: JobSettings,
        recover: Callable[[], None],
        end: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._executor = executor
        self._settings = settings
        self._recover = recover
        self._end = end
        self._clock = clock
        self._stopping = threading.Event()
        self._last = clock()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    def stop(self) -> None:
        """Stop beating."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            try:
                self._once()
            except Exception as error:  # noqa: BLE001 - process loop: it may be away for a moment
                log_failure(log, "heartbeat failed", "heartbeat_failed", error)
                if self._clock() - self._last > self._settings.lost_after_s:
                    self._end()
            if self._stopping.wait(self._settings.heartbeat_s):
                return

    def _once(self) -> None:
        if not self._executor.beat():
            log.error("others took our jobs", extra={"action": "worker_fenced"})
            self._end()
            return
        self._last = self._clock()
        for executor_id in self._executor.remove_dead(self._settings.lost_after_s):
            facts = {"action": "worker_lost", "executor": executor_id}
            log.warning("a worker has ended without a word", extra=facts)
        self._recover()
