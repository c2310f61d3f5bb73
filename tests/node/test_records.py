"""Years of a node, a day at a time: what led to results goes, what anything still needs stays."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pydicom
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from node.config import RetentionSettings
from node.database import (
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
from node.jobs import Job, JobState
from node.receiving.performed_steps import StepReport, create_step, performed_count, set_step
from node.records import ended_before, sweep_records
from node.retention import REMEMBERED, Retention
from node.spool import Spool
from tests.node.dispatch.scp import StorageSCP
from tests.node.feeding import feed
from tests.node.job_node import JobNode, empty, job_node

DAY_S = 86_400.0
KEEP = RetentionSettings(
    received_keep_s=DAY_S, unrouted_keep_s=2 * DAY_S, derived_keep_s=2 * DAY_S,
    failed_keep_s=5 * DAY_S,
)  # fmt: skip
ENDS = [JobState.COMMITTED] * 5 + [JobState.REFUSED, JobState.CANCELLED, JobState.FAILED]
STAYS = [JobState.HELD, JobState.SENT, JobState.QUEUED]
GROWING = (associations, commitments, conflicts, deliveries, performed_series, performed_steps)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[JobNode]:
    with job_node(tmp_path, StorageSCP(port=1)) as made:
        yield made


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[JobNode]:
    """The same on either database."""
    url = "sqlite" if request.param == "sqlite" else request.getfixturevalue("postgresql")
    with job_node(tmp_path, StorageSCP(port=1), url) as made:
        empty(made.database)
        yield made


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
        return len(self.spool.series_paths(job.source_series[0]))


def test_nothing_but_the_memory_grows_and_no_series_becomes_a_second_job(node: JobNode) -> None:
    life = Life(node)
    unsettled = [life.day(state) for state in STAYS]
    peaks = [Counter[str](), Counter[str]()]
    for day in range(24):
        life.day(ENDS[day % len(ENDS)])
        if day >= 8:
            peaks[day >= 16] |= life.sizes()
    failed = [job for (_, job), end in zip(life.sent[3:], 3 * ENDS, strict=True) if end == "FAILED"]
    assert all(peaks[0][table.name] for table in GROWING)
    assert all(peaks[0][name] for name in ("conflicts/", "rejected/", "jobs/"))
    growth = peaks[1] - peaks[0]
    assert growth == Counter({"spool/": 2}), growth  # of a failed job, which may be tried again
    assert all(life.files(job) == 2 for job in (*unsettled, *failed))
    here = [job for _, job in life.sent if (life.data / "jobs" / job.id).exists()]
    assert {job.id for job in unsettled} < {job.id for job in here}
    for number in (3, 10, 25):
        before = life.sent[number][1]
        assert life.send_again(number).id == before.id
        assert life.files(before) == 2
        assert_whole(node.database, before)
    assert len(node.ledger.list(limit=1000)) == len(life.sent)
    for _ in range(4):
        life.night()
    assert life.files(life.sent[3][1]) == 0  # and goes again


def assert_whole(database: Engine, job: Job) -> None:
    """Images that came again have all their attributes, which retention had taken."""
    of_series = instances.c.series_instance_uid == job.source_series[0]
    with database.connect() as connection:
        for attributes in connection.scalars(sa.select(instances.c.attributes).where(of_series)):
            assert "00080018" in attributes


def test_a_deleted_image_is_remembered_by_little_more_than_its_uids(either: JobNode) -> None:
    node, life = either, Life(either)
    job = life.day(JobState.COMMITTED)
    for _ in range(3):
        life.night()
    with node.database.connect() as connection:
        query = sa.select(instances.c.attributes).order_by(instances.c.sop_instance_uid)
        heading, *others = connection.scalars(query)
    assert life.files(job) == 0
    assert "00100020" in heading  # of the page of the series
    assert others
    assert all(set(attributes) <= set(REMEMBERED) and attributes for attributes in others)


def test_evidence_about_what_is_not_decided_stays(either: JobNode) -> None:
    node, life = either, Life(either)
    job = life.day(JobState.QUEUED)
    uid = job.source_series[0]
    with node.database.begin() as connection:
        connection.execute(series.update().values(state="RECEIVING"))
    for _ in range(9):
        life.night()
    assert performed_count(node.database, uid) == 2
    assert life.spool.last_release(uid) is not None
    life.decide()
    life.night()
    assert performed_count(node.database, uid) is None
    assert life.spool.last_release(uid) is None


def test_a_late_report_is_looked_into_before_its_row_goes(either: JobNode) -> None:
    node, life = either, Life(either)
    life.day(JobState.COMMITTED)
    with node.database.begin() as connection:
        connection.execute(commitments.update().values(state="CONTRADICTED"))
    for _ in range(9):
        life.night()
    assert life.sizes()["commitments"] == 1


@pytest.mark.parametrize("state", list(JobState))
def test_which_jobs_are_over(node: JobNode, state: JobState) -> None:
    job = node.make_job(2)
    now = datetime.now(UTC)
    keep_s = {JobState.FAILED: 5 * DAY_S}.get(state, 2 * DAY_S)
    ends = {JobState.COMMITTED, JobState.REFUSED, JobState.CANCELLED, JobState.FAILED}
    for age_s, over in [(None, False), (keep_s - 1, False), (keep_s + 1, state in ends)]:
        finished = None if age_s is None else now - timedelta(seconds=age_s)
        with node.database.begin() as connection:
            connection.execute(jobs.update().values(state=str(state), finished=finished))
            found = connection.scalar(sa.select(jobs.c.id).where(ended_before(KEEP, now)))
        assert found == (job.id if over else None)
