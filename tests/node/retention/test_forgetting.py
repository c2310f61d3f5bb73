"""Series of long ago are forgotten, names and all; what they became, after much longer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from node.config import RetentionSettings
from node.database.tables import commitments, deliveries, instances, jobs, series
from node.jobs.ledger import JobState
from node.retention import forgetting
from node.retention.forgetting import forget_jobs, forget_series
from node.spooling.incoming import FOLDER, exclusive
from tests.node.dispatch.scp import StorageSCP, storage_scp
from tests.node.job_node import JobNode, empty, job_node
from tests.node.life import DAY_S, KEEP, Life

NOW = datetime.now(UTC)
LONG_AGO = NOW - timedelta(seconds=KEEP.memory_keep_s + DAY_S)
YESTERDAY = NOW - timedelta(seconds=DAY_S)
JOBS_TOO = KEEP.model_copy(update={"jobs_keep_s": KEEP.memory_keep_s})


@pytest.fixture
def life(either_database: str, tmp_path: Path) -> Iterator[Life]:
    """A node with a series that was committed and deleted long ago."""
    with job_node(tmp_path, StorageSCP(port=1), either_database) as made:
        empty(made.database)
        life = Life(made)
        life.day(JobState.COMMITTED)
        change(made, instances, deleted=LONG_AGO)
        change(made, series, last_received=LONG_AGO)
        change(made, jobs, finished=LONG_AGO)
        life.retention.sweep(NOW)
        yield life


def change(node: JobNode, table: sa.Table, **values: Any) -> None:
    with node.database.begin() as connection:
        connection.execute(table.update().values(values))


def forget(life: Life) -> int:
    return forget_series(life.node.database, life.data, KEEP, NOW)


def forget_old_jobs(life: Life, settings: RetentionSettings = JOBS_TOO) -> int:
    return forget_jobs(life.node.database, life.data, settings, NOW)


def rows(life: Life) -> list[int]:
    """How many instances, series and jobs are known."""
    with life.node.database.connect() as connection:
        return [
            connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
            for table in (instances, series, jobs)
        ]


def test_a_series_goes_and_its_job_stays(life: Life) -> None:
    job = life.sent[0][1]
    assert rows(life) == [2, 1, 1]
    assert (forget(life), rows(life)) == (1, [0, 0, 1])
    assert life.send_again(0).id == job.id
    assert rows(life) == [2, 1, 1]
    assert forget(life) == 0


@pytest.mark.parametrize(
    ("table", "values"),
    [
        (instances, {"deleted": None}),
        (instances, {"deleted": YESTERDAY}),
        (series, {"last_received": YESTERDAY}),
        (series, {"state": "RECEIVING"}),
        (series, {"completed_count": 1}),
        (jobs, {"finished": None}),
        (jobs, {"finished": YESTERDAY}),
    ],
)
def test_what_anything_still_needs_stays(
    life: Life, table: sa.Table, values: dict[str, Any]
) -> None:
    change(life.node, table, **values)
    assert (forget(life), rows(life)) == (0, [2, 1, 1])


def test_what_was_derived_needs_its_series_as_long_as_it_is_here(life: Life) -> None:
    long = KEEP.model_copy(update={"derived_keep_s": 2 * KEEP.memory_keep_s})
    assert forget_series(life.node.database, life.data, long, NOW) == 0


def test_nothing_is_forgotten_while_images_are_admitted(life: Life) -> None:
    with exclusive(life.data / FOLDER) as ours:
        assert ours
        assert forget(life) == 0
    assert forget(life) == 1


@pytest.mark.parametrize("state", ["COMMITTED", "REFUSED", "CANCELLED", "FAILED"])
def test_a_job_goes_with_what_was_recorded_of_it(life: Life, state: str) -> None:
    job = life.sent[0][1]
    change(life.node, jobs, state=state)
    life.record(job, 1)
    assert forget_old_jobs(life) == 1
    assert life.node.ledger.get(job.id) is None
    with life.node.database.connect() as connection:
        for table in (deliveries, commitments):
            assert connection.execute(sa.select(table)).all() == []
    assert forget_old_jobs(life) == 0


@pytest.mark.parametrize(
    "values",
    [
        {"finished": YESTERDAY},
        {"finished": None},
        {"state": "SENT"},
        {"state": "HELD"},
    ],
)
def test_a_job_that_anybody_still_needs_stays(life: Life, values: dict[str, Any]) -> None:
    change(life.node, jobs, **values)
    assert forget_old_jobs(life) == 0


def test_jobs_are_kept_for_years_unless_the_site_says_otherwise(life: Life) -> None:
    assert forget_old_jobs(life, KEEP) == 0
    change(life.node, jobs, finished=NOW - timedelta(days=10 * 365 + 1))
    assert forget_old_jobs(life, KEEP) == 1


@pytest.mark.parametrize("which", ["memory_keep_s", "derived_keep_s"])
def test_a_job_outlives_what_it_explains(life: Life, which: str) -> None:
    long = JOBS_TOO.model_copy(update={which: 2 * KEEP.memory_keep_s})
    assert forget_old_jobs(life, long) == 0


def test_a_job_whose_folder_is_here_stays(life: Life) -> None:
    """The disk failed when it was to be deleted: nobody would look for it any more."""
    folder = life.data / "jobs" / life.sent[0][1].id
    folder.mkdir(parents=True)
    assert forget_old_jobs(life) == 0
    folder.rmdir()
    assert forget_old_jobs(life) == 1


def test_a_job_that_is_tried_again_meanwhile_stays(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = life.sent[0][1]
    change(life.node, jobs, state="FAILED")
    delete = forgetting._forget_jobs

    def retry_first(*arguments: Any) -> int:
        life.node.ledger.retry(job.id)
        return delete(*arguments)

    monkeypatch.setattr(forgetting, "_forget_jobs", retry_first)
    assert forget_old_jobs(life) == 0
    assert life.node.ledger.require(job.id).state is JobState.QUEUED


def test_many_jobs_go_a_few_at_a_time(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forgetting, "UIDS_IN_ONE_QUERY", 2)
    for slices in (1, 2, 3, 4):
        life.node.make_job(slices)
    change(life.node, jobs, state="COMMITTED", finished=LONG_AGO)
    assert forget_old_jobs(life) == 5
    assert rows(life)[2] == 0


def test_what_is_made_again_is_the_same_to_the_byte(either_database: str, tmp_path: Path) -> None:
    """Same UIDs with other bytes would be two contents under one name at the PACS."""
    with storage_scp() as scp, job_node(tmp_path, scp, either_database) as node:
        empty(node.database)
        life = Life(node)
        uids = node.send_series(3)
        job = node.job_of(uids)
        life.sent.append((uids, job))
        worker = node.start_worker()
        node.wait_for(job, JobState.SENT)
        worker.terminate()
        assert worker.wait(60) == 0  # years go by
        first = dict(scp.stored)
        assert len(first) == 3 + 2  # images, report, label
        scp.stored.clear()
        life.decide()
        change(node, jobs, state="COMMITTED", finished=LONG_AGO)
        change(node, series, last_received=LONG_AGO)
        life.retention.sweep(NOW)
        change(node, instances, deleted=LONG_AGO)
        assert (forget(life), forget_old_jobs(life), rows(life)) == (1, 1, [0, 0, 0])
        again = life.send_again(0)
        assert (again.id, again.run) == (job.id, 0)
        assert again.created > job.created
        node.start_worker()
        node.wait_for(again, JobState.SENT)
        assert scp.stored == first
