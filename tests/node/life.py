"""Days of a node that go by in a moment: what comes, what becomes of it, retention at night."""

from __future__ import annotations

import os
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pydicom
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from node.config import RetentionSettings
from node.database.tables import (
    UTCDateTime,
    associations,
    commitments,
    conflicts,
    deliveries,
    instances,
    jobs,
    metadata,
    performed_series,
    performed_steps,
    series,
)
from node.jobs.ledger import Job, JobState
from node.receiving.performed_steps import StepReport, create_step, set_step
from node.retention.deletion import Retention
from node.retention.forgetting import forget_series
from node.retention.records import sweep_records
from node.spool import Spool
from tests.node.feeding import feed
from tests.node.job_node import JobNode
from tests.node.spooled import series_paths

DAY_S = 86_400.0
KEEP = RetentionSettings(
    received_keep_s=DAY_S, unrouted_keep_s=2 * DAY_S, derived_keep_s=2 * DAY_S,
    failed_keep_s=5 * DAY_S, memory_keep_s=6 * DAY_S,
)  # fmt: skip
GROWING = (
    associations, commitments, conflicts, deliveries, instances, performed_series,
    performed_steps, series,
)  # fmt: skip


def grow_old(database: Engine, data_dir: Path, by: timedelta) -> None:
    """All that is recorded happened so much earlier."""
    with database.begin() as connection:
        for table in metadata.sorted_tables:
            timed = [column for column in table.columns if isinstance(column.type, UTCDateTime)]
            keys = list(table.primary_key.columns)
            for row in connection.execute(sa.select(table)).all() if timed else ():
                moved = {c.name: row._mapping[c] - by for c in timed if row._mapping[c]}
                where = [key == row._mapping[key] for key in keys]
                if moved:
                    connection.execute(table.update().where(*where).values(moved))
    for path in (data_dir / "rejected").glob("*"):
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime - by.total_seconds()))


class Life:
    """Days of a node: what comes, what becomes of it, what retention does at night."""

    def __init__(self, node: JobNode) -> None:
        self.node = node
        self.data = node.config.node.data_dir
        self.spool = Spool(self.data, node.database)
        self.retention = Retention(node.database, self.data, KEEP)
        self.sent: list[tuple[list[str], Job]] = []

    def day(self, state: JobState) -> Job:
        """A series comes, its job ends so, a disk fails on one file; then the night."""
        number = len(self.sent)
        uids = self.node.send_series(2)
        self.decide()
        job = self.node.job_of(uids)
        self.finish(job, state)
        self.sent.append((uids, job))
        self.record(job, number)
        if number % 3 == 0:
            self.second_content(number)
            (self.data / "incoming" / f"20260101T000000.{number:06d}Z-a-1.dcm").write_bytes(b"x")
            self.spool.admit_incoming()
        self.night()
        return job

    def finish(self, job: Job, state: JobState) -> None:
        folder = self.data / "jobs" / job.id / "derived"
        folder.mkdir(parents=True)
        (folder / "DEN-0001.dcm").write_bytes(b"x")
        over = None if state is JobState.QUEUED else datetime.now(UTC)
        with self.node.database.begin() as connection:
            values = {"state": str(state), "finished": over}
            connection.execute(jobs.update().where(jobs.c.id == job.id).values(values))

    def record(self, job: Job, number: int) -> None:
        """What the receiver and a delivery leave in the tables."""
        uid, now = job.source_series[0], datetime.now(UTC)
        note: dict[str, object]
        note = {"association": f"a{number}", "source_ae": "ORTHANC", "outcome": "RELEASED"}
        note |= {"ended": now.isoformat(), "series": {uid: 2}}
        self.spool.incoming.write_note("a", note)
        self.spool.admit_incoming()
        step = f"1.9.{number}"
        create_step(self.node.database, step, StepReport("IN PROGRESS"), "MR")
        set_step(self.node.database, step, StepReport("COMPLETED", {uid: 2}))
        sent: dict[str, object]
        asked: dict[str, object]
        sent = {"job_id": job.id, "destination": "pacs", "status": "SENT", "updated": now}
        asked = {"transaction_uid": f"1.8.{number}", "job_id": job.id, "destination": "pacs"}
        asked |= {"state": "COMMITTED", "failed": {}, "asked": now}
        with self.node.database.begin() as connection:
            for derived in range(3):
                row = {**sent, "sop_instance_uid": f"1.7.{number}.{derived}"}
                connection.execute(deliveries.insert().values(row))
            connection.execute(commitments.insert().values(asked))

    def second_content(self, number: int) -> None:
        path = sorted((self.node.folder / f"source-{number}").glob("*.dcm"))[0]
        ds = pydicom.dcmread(path)
        ds.ImageComments = "other"
        ds.save_as(self.node.folder / "other.dcm")
        feed(self.spool, [self.node.folder / "other.dcm"])
        self.spool.admit_incoming()

    def decide(self) -> None:
        """As the assembler leaves every series."""
        done = {"state": "ROUTED", "completed_count": series.c.instance_count}
        with self.node.database.begin() as connection:
            connection.execute(series.update().values(done))

    def night(self) -> None:
        grow_old(self.node.database, self.data, timedelta(days=1))
        self.retention.sweep(datetime.now(UTC))
        sweep_records(self.node.database, KEEP, datetime.now(UTC))
        forget_series(self.node.database, self.data, KEEP, datetime.now(UTC))

    def send_again(self, number: int) -> Job:
        """The PACS sends a series of long ago once more; gives its job."""
        feed(self.spool, sorted((self.node.folder / f"source-{number}").glob("*.dcm")))
        self.spool.admit_incoming()
        self.decide()
        return self.node.job_of(self.sent[number][0])

    def sizes(self) -> Counter[str]:
        """Rows of the tables that must not grow, and files beside the series."""
        with self.node.database.connect() as connection:
            found = Counter({
                table.name: connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
                for table in GROWING
            })  # fmt: skip
        for name in ("conflicts", "rejected", "jobs"):
            found[f"{name}/"] = len(list((self.data / name).glob("*")))
        found["spool/"] = len(list((self.data / "spool").rglob("*.dcm")))
        return found

    def files(self, job: Job) -> int:
        """How many of its source images are here."""
        return len(series_paths(self.spool, job.source_series[0]))
