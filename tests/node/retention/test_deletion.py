from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from node.assembler import Assembler
from node.config import RetentionSettings
from node.database.tables import commitments, instances, jobs, open_database, series
from node.jobs.ledger import Job, JobState
from node.retention.deletion import JobEnd, Retention, received_may_go
from node.retention.records import sweep_records
from node.spooling.incoming import exclusive
from node.steps.folder import JobFolder
from tests.node.dispatch.scp import StorageSCP
from tests.node.feeding import feed, look_until_decided, make_config, only_series
from tests.node.job_node import JobNode, job_node
from tests.node.life import Life
from tests.servers import wait_until
from tests.synthetic import write_ct_series

NOW = datetime(2026, 5, 1, tzinfo=UTC)
SETTINGS = RetentionSettings(received_keep_s=100, unrouted_keep_s=1000, derived_keep_s=500)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def ended(state: JobState, seconds: float) -> JobEnd:
    return JobEnd(state, ago(seconds))


@pytest.mark.parametrize(
    ("last_received", "ends", "may_go"),
    [
        (2000, [], True),
        (999, [], False),
        (5000, [ended(JobState.COMMITTED, 101)], True),
        (1, [ended(JobState.COMMITTED, 101)], False),  # came again, or late
        (1001, [ended(JobState.COMMITTED, 5000)], True),
        (5000, [ended(JobState.COMMITTED, 99)], False),
        (5000, [ended(JobState.COMMITTED, 101), ended(JobState.COMMITTED, 1)], False),
        (5000, [ended(JobState.COMMITTED, 101), JobEnd(JobState.RUNNING, None)], False),
        (5000, [JobEnd(JobState.QUEUED, None)], False),
        (5000, [ended(JobState.SENT, 4000)], False),
        (5000, [ended(JobState.FAILED, 4000)], False),
        (5000, [ended(JobState.HELD, 4000)], False),
        (5000, [ended(JobState.REFUSED, 4000)], True),
        (500, [ended(JobState.REFUSED, 400)], False),
        (5000, [ended(JobState.CANCELLED, 4000), ended(JobState.FAILED, 4000)], False),
    ],
)
def test_received(last_received: float, ends: list[JobEnd], may_go: bool) -> None:
    assert received_may_go(ago(last_received), ends, SETTINGS, NOW) is may_go


def decide(node: JobNode) -> None:
    """As the assembler leaves a series."""
    done = {"state": "ROUTED", "completed_count": series.c.instance_count}
    with node.database.begin() as connection:
        connection.execute(series.update().values(done))


def test_sweep_deletes_files_and_remembers(tmp_path: Path) -> None:
    with job_node(tmp_path, StorageSCP(port=1)) as node:
        job = node.make_job(4)
        decide(node)
        data = tmp_path / "data"
        derived = data / "jobs" / job.id / "derived"
        derived.mkdir(parents=True)
        (derived / "DEN-0001.dcm").write_bytes(b"x")
        retention = Retention(node.database, data, RetentionSettings())
        later = datetime.now(UTC) + timedelta(days=365)
        assert retention.sweep(later) == 0  # the job waits
        with node.database.begin() as connection:
            connection.execute(
                jobs.update().values(state=JobState.COMMITTED, finished=datetime.now(UTC))
            )
            connection.execute(series.update().values(state="RECEIVING"))
        assert retention.sweep(later) == 1  # nobody has decided about the series
        decide(node)
        assert retention.sweep(datetime.now(UTC)) == 0
        assert retention.sweep(later) == 4
        assert not list((data / "spool").iterdir())
        assert not derived.exists()
        with node.database.connect() as connection:
            deleted = list(connection.execute(sa.select(instances.c.deleted)).scalars())
        assert len(deleted) == 4
        assert all(deleted)
        assert retention.sweep(later) == 0


def test_no_empty_folder_stays_where_a_sweep_was_killed(tmp_path: Path) -> None:
    """Killed when the folder of the series was gone, and that of the study was not yet."""
    with job_node(tmp_path, StorageSCP(port=1)) as node:
        node.send_series(4)
        decide(node)
        (folder,) = (tmp_path / "data" / "spool").glob("*/*")
        shutil.rmtree(folder)
        retention = Retention(node.database, tmp_path / "data", RetentionSettings())
        assert retention.sweep(datetime.now(UTC) + timedelta(days=365)) == 4
        assert not list((tmp_path / "data" / "spool").iterdir())


def test_what_went_wrong_is_kept_for_a_while_and_goes_then(tmp_path: Path) -> None:
    with job_node(tmp_path, StorageSCP(port=1)) as node:
        life, now = Life(node), datetime.now(UTC)
        node.send_series(2)
        life.second_content(0)
        (life.data / "incoming" / "20260101T000000.000000Z-a-1.dcm").write_bytes(b"x")
        life.spool.admit_incoming()
        (received,) = (life.data / "rejected").glob("*.dcm")
        os.utime(received, (0, 0))  # it came long before it was looked at
        retention = Retention(node.database, life.data, RetentionSettings())
        assert retention.sweep(now + timedelta(days=29)) == 0
        assert (life.sizes()["conflicts/"], life.sizes()["rejected/"]) == (1, 2)
        assert retention.sweep(now + timedelta(days=31)) == 3
        assert (life.sizes()["conflicts"], life.sizes()["conflicts/"]) == (0, 0)
        assert life.sizes()["rejected/"] == 0


def test_what_comes_while_it_is_deleted_is_not_lost(tmp_path: Path) -> None:
    with job_node(tmp_path, StorageSCP(port=1)) as node:
        node.send_series(4)
        decide(node)
        retention = Retention(node.database, tmp_path / "data", RetentionSettings())
        later = datetime.now(UTC) + timedelta(days=365)
        with exclusive(tmp_path / "data" / "incoming"):  # something is admitted at this moment
            assert retention.sweep(later) == 0
        with node.database.begin() as connection:
            connection.execute(series.update().values(instance_count=5))  # it was of this series
        assert retention.sweep(later) == 0
        assert len(list((tmp_path / "data" / "spool").rglob("*.dcm"))) == 4


def test_images_that_come_after_the_others_were_deleted_are_decided(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    database = open_database(config.node)
    assembler = Assembler(config, database)
    paths = write_ct_series(tmp_path / "ct", slices=20, rows=64, columns=64)
    feed(assembler.spool, paths[:18])
    look_until_decided(assembler)
    with database.begin() as connection:
        connection.execute(jobs.update().values(state="COMMITTED", finished=datetime.now(UTC)))
    retention = Retention(database, config.node.data_dir, RetentionSettings())
    assert retention.sweep(datetime.now(UTC) + timedelta(days=365)) == 18
    feed(assembler.spool, paths[16:])  # two of them once more
    said = "16 images of this series are no longer kept here; send the whole series again."
    wait_until(lambda: bool(assembler.look()) and said in only_series(database).reason)
    feed(assembler.spool, paths)  # all of it again: the same as at first
    (row,) = look_until_decided(assembler)
    assert (row.revision, row.completed_count, row.state) == (2, 20, "ROUTED")
    assembler.close()
    database.dispose()


def contradicted(node: JobNode, job: Job) -> None:
    """The job was committed; then its destination said that it does not keep an object."""
    with node.database.begin() as connection:
        ended = {"state": str(JobState.COMMITTED), "finished": datetime.now(UTC)}
        connection.execute(jobs.update().where(jobs.c.id == job.id).values(ended))
        row = {"transaction_uid": "1.8", "job_id": job.id, "destination": "pacs"}
        late = {"state": "CONTRADICTED", "failed": {"1.7": 1}, "asked": datetime.now(UTC)}
        connection.execute(commitments.insert().values(**row, **late))


def make_folder(node: JobNode, job: Job) -> Path:
    folder = JobFolder(node.config.node.data_dir / "jobs" / job.id)
    folder.derived.mkdir(parents=True)
    (folder.derived / "DEN-0001.dcm").write_bytes(b"x")
    return folder.path


def test_what_a_late_report_doubts_stays_until_somebody_looked(tmp_path: Path) -> None:
    """The destination may be away, and nobody can be asked, for longer than anything is kept."""
    with job_node(tmp_path, StorageSCP(port=1)) as node:
        job = node.make_job(4)
        decide(node)
        folder = make_folder(node, job)
        contradicted(node, job)
        retention = Retention(node.database, tmp_path / "data", RetentionSettings())
        later = datetime.now(UTC) + timedelta(days=365)
        assert retention.sweep(later) == 0
        assert sweep_records(node.database, RetentionSettings(), later) == 0
        assert folder.exists()
        with node.database.begin() as connection:
            connection.execute(commitments.update().values(state="EXPIRED"))
        assert retention.sweep(later) == 5
        assert not folder.exists()


def test_sources_of_a_job_that_is_tried_again_meanwhile_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with job_node(tmp_path, StorageSCP(port=1)) as node:
        made = sorted((node.make_job(4) for _ in range(2)), key=lambda job: job.source_series)
        decide(node)
        for job in made:
            node.ledger.cancel(job.id)
        unlink = Path.unlink

        def unlink_while_a_person_retries(path: Path, missing_ok: bool = False) -> None:
            waiting = [one for one in made if one.source_series[0] not in str(path)]
            if path.suffix == ".dcm" and not node.ledger.list(JobState.QUEUED):
                node.ledger.retry(waiting[0].id)
            unlink(path, missing_ok)

        monkeypatch.setattr(Path, "unlink", unlink_while_a_person_retries)
        retention = Retention(node.database, tmp_path / "data", RetentionSettings())
        assert retention.sweep(datetime.now(UTC) + timedelta(days=365)) == 4
        (again,) = node.ledger.list(JobState.QUEUED)
        spool = tmp_path / "data" / "spool"
        assert {str(p.parent.name) for p in spool.rglob("*.dcm")} == set(again.source_series)


def test_the_folder_of_a_job_that_is_tried_again_meanwhile_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with job_node(tmp_path, StorageSCP(port=1)) as node:
        made = [node.make_job(4) for _ in range(2)]
        for job in made:
            make_folder(node, job)
            node.ledger.cancel(job.id)
        rmtree = shutil.rmtree

        def rmtree_while_a_person_retries(path: Path, ignore_errors: bool) -> None:
            waiting = [one for one in made if one.id not in str(path)]
            if not node.ledger.list(JobState.QUEUED):
                node.ledger.retry(waiting[0].id)
            rmtree(path, ignore_errors)

        monkeypatch.setattr(shutil, "rmtree", rmtree_while_a_person_retries)
        retention = Retention(node.database, tmp_path / "data", RetentionSettings())
        assert retention.sweep(datetime.now(UTC) + timedelta(days=365)) == 1
        (again,) = node.ledger.list(JobState.QUEUED)
        assert [path.name for path in (tmp_path / "data" / "jobs").iterdir()] == [again.id]


def test_a_folder_that_a_crash_left_half_deleted_is_nobodys_and_goes(tmp_path: Path) -> None:
    """Killed within the deletion: no later run may take what is left for a job's objects."""
    with job_node(tmp_path, StorageSCP(port=1)) as node:
        job = node.make_job(4)
        folder = make_folder(node, job)
        node.ledger.cancel(job.id)
        later = datetime.now(UTC) + timedelta(days=365)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(shutil, "rmtree", lambda _path, **_options: None)  # killed here
            Retention(node.database, tmp_path / "data", RetentionSettings()).sweep(later)
        node.ledger.retry(job.id)
        assert not folder.exists()
        Retention(node.database, tmp_path / "data", RetentionSettings()).sweep(later)
        assert not list((tmp_path / "data" / "jobs").iterdir())
