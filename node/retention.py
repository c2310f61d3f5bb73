"""What may be deleted, and when.

Received instances go only after every job of their series has its commitment, or when no job ever
wanted them, and never before they were decided about; the row stays as the memory of what was here.
Deciding is pure; `Retention` does it.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from node.assembly import OPEN
from node.config import RetentionSettings
from node.database import instances, jobs, series
from node.jobs import JobState
from node.spooling.incoming import FOLDER, exclusive

log = logging.getLogger(__name__)

FIRST_AFTER_S = 1.0
EVERY_S = 60.0
SETTLED = frozenset({JobState.COMMITTED, JobState.REFUSED, JobState.CANCELLED})
"""States in which a job needs its sources no more; a failed or held one may be tried again."""


@dataclass(frozen=True)
class JobEnd:
    """How a job ended: its state, and when; `finished` is None while it is under way."""

    state: JobState
    finished: datetime | None


def received_may_go(
    last_received: datetime, ends: Sequence[JobEnd], settings: RetentionSettings, now: datetime
) -> bool:
    """Whether the received instances of a series may be deleted.

    Args:
        last_received: when its last instance came.
        ends: of every job that was made of it.
        settings: how long to keep what.
        now: the time.
    """
    if any(end.state not in SETTLED or end.finished is None for end in ends):
        return False
    committed = [e.finished for e in ends if e.state is JobState.COMMITTED and e.finished]
    if committed and last_received <= max(committed):  # else something came that is in no result
        return now - max(committed) >= timedelta(seconds=settings.received_keep_s)
    return now - last_received >= timedelta(seconds=settings.unrouted_keep_s)


def derived_may_go(end: JobEnd, settings: RetentionSettings, now: datetime) -> bool:
    """Whether the folder of a job may be deleted: only when all of it is committed elsewhere."""
    if end.finished is None or end.state not in (JobState.COMMITTED, JobState.CANCELLED):
        return False
    return now - end.finished >= timedelta(seconds=settings.derived_keep_s)


class Retention:
    """Deletes what may go, in a thread.

    Args:
        database: the node's tables.
        data_dir: where spool and jobs lie.
        settings: how long to keep what.
        further: what else is to be done now and then, at a time.
    """

    def __init__(
        self,
        database: Engine,
        data_dir: Path,
        settings: RetentionSettings,
        further: Sequence[Callable[[datetime], int]] = (),
    ) -> None:
        self.database = database
        self.data_dir = data_dir
        self.settings = settings
        self._further = further
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="retention", daemon=True)

    def start(self) -> None:
        """Begin to look now and then."""
        self._thread.start()

    def stop(self) -> None:
        """Stop looking."""
        self._stopping.set()

    def sweep(self, now: datetime) -> int:
        """Delete what may go at this time; gives the number of files."""
        deleted = self._sweep_received(now) + self._sweep_derived(now)
        if deleted:
            log.info("deleted what may go", extra={"action": "retention", "files": deleted})
        return deleted

    def _run(self) -> None:
        pause_s = FIRST_AFTER_S
        while not self._stopping.wait(pause_s):
            pause_s = EVERY_S
            for chore in (self.sweep, *self._further):
                try:
                    chore(datetime.now(UTC))
                except Exception:  # process loop: a full or absent disk must not end the worker
                    log.exception("retention failed", extra={"action": "retention_failed"})

    def _sweep_received(self, now: datetime) -> int:
        kept = sa.select(instances.c.series_instance_uid).where(instances.c.deleted.is_(None))
        query = _decided().where(series.c.series_instance_uid.in_(kept.distinct()))
        with self.database.connect() as connection:
            found = connection.execute(query).all()
        ends = self._ends_by_series()
        deleted = 0
        for uid, last_received in found:
            if received_may_go(last_received, ends.get(uid, []), self.settings, now):
                deleted += self._delete_unless_more_came(uid, last_received, now)
        return deleted

    def _delete_unless_more_came(self, uid: str, last_received: datetime, now: datetime) -> int:
        """Nothing is admitted meanwhile: what comes again just now is no duplicate of these."""
        incoming = self.data_dir / FOLDER
        incoming.mkdir(parents=True, exist_ok=True)
        query = _decided().where(series.c.series_instance_uid == uid)
        with exclusive(incoming) as free:
            if not free:
                return 0  # the next time
            with self.database.connect() as connection:
                row = connection.execute(query).one_or_none()
            if row is None or row.last_received != last_received:
                return 0
            return self._delete_received(uid, now)

    def _ends_by_series(self) -> dict[str, list[JobEnd]]:
        ends: dict[str, list[JobEnd]] = {}
        query = sa.select(jobs.c.source_series, jobs.c.state, jobs.c.finished)
        with self.database.connect() as connection:
            for uids, state, finished in connection.execute(query):
                for uid in uids:
                    ends.setdefault(uid, []).append(JobEnd(JobState(state), finished))
        return ends

    def _delete_received(self, series_uid: str, now: datetime) -> int:
        """The files first: a crash in between leaves rows whose files are looked for again."""
        with self.database.connect() as connection:
            query = sa.select(instances.c.path).where(
                instances.c.series_instance_uid == series_uid, instances.c.deleted.is_(None)
            )
            paths = list(connection.execute(query).scalars())
        for path in paths:
            (self.data_dir / path).unlink(missing_ok=True)
        for folder in {(self.data_dir / path).parent for path in paths}:
            with contextlib.suppress(OSError):  # something else of the series or study is left
                folder.rmdir()
                folder.parent.rmdir()
        with self.database.begin() as connection:
            connection.execute(
                instances.update()
                .where(instances.c.series_instance_uid == series_uid, instances.c.path.in_(paths))
                .values(deleted=now)
            )
        return len(paths)

    def _sweep_derived(self, now: datetime) -> int:
        query = sa.select(jobs.c.id, jobs.c.state, jobs.c.finished).where(
            jobs.c.finished.is_not(None)
        )
        with self.database.connect() as connection:
            found = connection.execute(query).all()
        deleted = 0
        for job_id, state, finished in found:
            folder = self.data_dir / "jobs" / job_id
            if not derived_may_go(JobEnd(JobState(state), finished), self.settings, now):
                continue
            if folder.is_dir():
                deleted += sum(1 for path in folder.rglob("*") if path.is_file())
                shutil.rmtree(folder, ignore_errors=True)
        return deleted


def _decided() -> sa.Select[Any]:
    """Series, and when their last instance came, of which nothing waits for a decision."""
    return sa.select(series.c.series_instance_uid, series.c.last_received).where(
        series.c.state.not_in(OPEN), series.c.instance_count <= series.c.completed_count
    )
