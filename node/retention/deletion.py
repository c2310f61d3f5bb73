"""What may be deleted, and when.

Received instances go only after every job of their series has its commitment, or when no job ever
wanted them, and never before they were decided about; the row stays as the memory of what was here,
with little more than its UIDs. What went wrong is kept for a person to look at, and goes too.
Deciding is pure; `Retention` does it.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from node.config import RetentionSettings
from node.database.tables import conflicts, instances, jobs, series
from node.database.waiting import log_failure
from node.jobs.ledger import UIDS_IN_ONE_QUERY, JobState
from node.retention.records import DONE, decided, doubted, ended_before
from node.spooling.admission import REJECTED
from node.spooling.incoming import nothing_admitted
from node.work import JOBS_FOLDER

log = logging.getLogger(__name__)

FIRST_AFTER_S = 1.0
EVERY_S = 60.0
ASIDE = ".going-"
"""Begins the name of a job's folder that is being deleted."""
REMEMBERED = ("00080060", "00200032", "00200037")
"""Modality, Image Position and Orientation (Patient): a job's page puts its pictures in order by
them, as long as what was derived is here."""


@dataclass(frozen=True)
class JobEnd:
    """How a job ended: its state, and when.

    `finished` is None while it is under way, and while a late report is not looked into.
    """

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
    if any(end.state not in DONE or end.finished is None for end in ends):
        return False
    committed = [e.finished for e in ends if e.state is JobState.COMMITTED and e.finished]
    if committed and last_received <= max(committed):  # else something came that is in no result
        return now - max(committed) >= timedelta(seconds=settings.received_keep_s)
    return now - last_received >= timedelta(seconds=settings.unrouted_keep_s)


def remembered(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """What stays of the attributes of a deleted instance: its place in a stack.

    Args:
        attributes: in the DICOM JSON model (PS3.18 F.2).
    """
    return {tag: attributes[tag] for tag in REMEMBERED if tag in attributes}


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
        deleted = self._sweep_received(now) + self._sweep_jobs(now)
        deleted += self._sweep_conflicts(now) + self._sweep_rejected(now)
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
                except Exception as error:  # noqa: BLE001 - process loop: the disk may come back
                    log_failure(log, "retention failed", "retention_failed", error)

    def _sweep_received(self, now: datetime) -> int:
        query = _decided().where(series.c.series_instance_uid.in_(_series_here()))
        with self.database.connect() as connection:
            found = connection.execute(query).all()
        ends = self._ends_by_series(series.c.series_instance_uid.in_(_series_here()))
        deleted = 0
        for uid, last_received in found:
            if received_may_go(last_received, ends.get(uid, []), self.settings, now):
                deleted += self._delete_unless_more_came(uid, last_received, now)
        return deleted

    def _delete_unless_more_came(self, uid: str, last_received: datetime, now: datetime) -> int:
        """Nothing is admitted meanwhile: what comes again just now is no duplicate of these.

        Asked once more: a person may have tried a job again while other series were deleted.
        """
        query = _decided().where(series.c.series_instance_uid == uid)
        with nothing_admitted(self.data_dir) as free:
            if not free:
                return 0  # the next time
            with self.database.connect() as connection:
                row = connection.execute(query).one_or_none()
            if row is None or row.last_received != last_received:
                return 0
            ends = self._ends_by_series(series.c.series_instance_uid == uid).get(uid, [])
            if not received_may_go(last_received, ends, self.settings, now):
                return 0
            return self._delete_received(uid, now)

    def _ends_by_series(self, of: sa.ColumnElement[bool]) -> dict[str, list[JobEnd]]:
        """How the jobs of these series, and of others of their studies, ended."""
        ends: dict[str, list[JobEnd]] = {}
        studies = sa.select(series.c.study_instance_uid).where(of)
        finished = sa.case((doubted(), None), else_=jobs.c.finished).label("finished")
        query = sa.select(jobs.c.source_series, jobs.c.state, finished).where(
            jobs.c.study_instance_uid.in_(studies)
        )
        with self.database.connect() as connection:
            for uids, state, ended in connection.execute(query):
                for uid in uids:
                    ends.setdefault(uid, []).append(JobEnd(JobState(state), ended))
        return ends

    def _delete_received(self, series_uid: str, now: datetime) -> int:
        """The files first: a crash in between leaves rows whose files are looked for again."""
        columns = instances.c
        query = sa.select(columns.sop_instance_uid, columns.path, columns.attributes).where(
            columns.series_instance_uid == series_uid, columns.deleted.is_(None)
        )
        with self.database.connect() as connection:
            rows = connection.execute(query.order_by(columns.sop_instance_uid)).all()
        paths = [self.data_dir / row.path for row in rows]
        for path in paths:
            path.unlink(missing_ok=True)
        for folder in {path.parent for path in paths}:
            for empty in (folder, folder.parent):
                with contextlib.suppress(OSError):  # not empty; or gone already before a crash
                    empty.rmdir()
        self._forget(series_uid, rows, now)
        return len(paths)

    def _forget(self, series_uid: str, rows: Sequence[Any], now: datetime) -> None:
        """Mark rows as deleted; only the first of a series, its heading, keeps all attributes."""
        columns = instances.c
        first = sa.select(sa.func.min(columns.sop_instance_uid)).where(
            columns.series_instance_uid == series_uid
        )
        statement = instances.update().where(columns.sop_instance_uid == sa.bindparam("uid"))
        with self.database.begin() as connection:
            heading = connection.scalar(first)
            for row in rows:
                uid = row.sop_instance_uid
                kept = row.attributes if uid == heading else remembered(row.attributes)
                connection.execute(statement, {"uid": uid, "deleted": now, "attributes": kept})

    def _sweep_jobs(self, now: datetime) -> int:
        """Folders of jobs that ended long ago. Those without a row were never looked at."""
        folders = self.data_dir / JOBS_FOLDER
        here = sorted(path.name for path in folders.glob("*/"))
        going: list[str] = []
        with self.database.connect() as connection:
            for start in range(0, len(here), UIDS_IN_ONE_QUERY):
                some = jobs.c.id.in_(here[start : start + UIDS_IN_ONE_QUERY])
                query = sa.select(jobs.c.id).where(some, ended_before(self.settings, now))
                going += connection.execute(query).scalars()
        deleted = sum(map(_removed, folders.glob(f"{ASIDE}*/")))  # what a crash left
        for job_id in going:
            self._put_aside(job_id, now)
            deleted += _removed(folders / (ASIDE + job_id))
        return deleted

    def _put_aside(self, job_id: str, now: datetime) -> None:
        """At once, so that no run of the job finds half of it; unless the job goes on just now."""
        folder = self.data_dir / JOBS_FOLDER / job_id
        still = jobs.update().where(jobs.c.id == job_id, ended_before(self.settings, now))
        with self.database.begin() as connection:  # the row is ours until the folder is aside
            if connection.execute(still.values(run=jobs.c.run)).rowcount:
                with contextlib.suppress(OSError):  # another worker was quicker
                    folder.rename(folder.with_name(ASIDE + job_id))

    def _sweep_conflicts(self, now: datetime) -> int:
        """Second contents under known UIDs: nobody has asked about them for long."""
        before = now - timedelta(seconds=self.settings.failed_keep_s)
        query = sa.select(conflicts.c.id, conflicts.c.path).where(conflicts.c.received <= before)
        with nothing_admitted(self.data_dir) as free:
            if not free:
                return 0  # the next time
            with self.database.begin() as connection:
                rows = connection.execute(query).all()
                for row in rows:
                    (self.data_dir / row.path).unlink(missing_ok=True)
                    connection.execute(conflicts.delete().where(conflicts.c.id == row.id))
        return len(rows)

    def _sweep_rejected(self, now: datetime) -> int:
        """Files that could not be read, counted from the day on which that was found."""
        before = now.timestamp() - self.settings.failed_keep_s
        deleted = 0
        for path in (self.data_dir / REJECTED).glob("*"):
            reason = path.with_name(path.name + ".reason")
            dated = reason if reason.exists() else path
            with contextlib.suppress(FileNotFoundError):  # another worker was quicker
                if dated.stat().st_mtime <= before:
                    path.unlink()
                    deleted += 1
        return deleted


def _removed(folder: Path) -> int:
    """Delete a folder that was put aside, if it is there; gives the number of its files."""
    deleted = 0
    with contextlib.suppress(FileNotFoundError):  # another worker is at it as well
        deleted = sum(1 for path in folder.rglob("*") if path.is_file())
    shutil.rmtree(folder, ignore_errors=True)
    return deleted


def _series_here() -> sa.Select[tuple[str]]:
    """Series of which images are here."""
    here = instances.c.deleted.is_(None)
    return sa.select(instances.c.series_instance_uid).where(here).distinct()


def _decided() -> sa.Select[Any]:
    """Series, and when their last instance came, of which nothing waits for a decision."""
    return sa.select(series.c.series_instance_uid, series.c.last_received).where(decided())
