"""Years of a node, a day at a time: what led to results goes, what anything still needs stays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from node.database.tables import commitments, deliveries, instances, jobs, series
from node.jobs.ledger import Job, JobState
from node.receiving.performed_steps import performed_count
from node.retention.deletion import REMEMBERED
from node.retention.records import ended_before, sweep_records
from tests.node.dispatch.scp import StorageSCP
from tests.node.job_node import JobNode, empty, job_node
from tests.node.life import DAY_S, GROWING, KEEP, Life
from tests.node.spooled import last_release

ENDS = [JobState.COMMITTED] * 5 + [JobState.REFUSED, JobState.CANCELLED, JobState.FAILED]
STAYS = [JobState.HELD, JobState.SENT, JobState.QUEUED]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[JobNode]:
    with job_node(tmp_path, StorageSCP(port=1)) as made:
        yield made


@pytest.fixture
def either(either_database: str, tmp_path: Path) -> Iterator[JobNode]:
    """The same on either database."""
    with job_node(tmp_path, StorageSCP(port=1), either_database) as made:
        empty(made.database)
        yield made


def test_nothing_but_jobs_grows_and_no_series_becomes_a_second_job(node: JobNode) -> None:
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
    of_a_failed_job = Counter({"spool/": 2, "instances": 2, "series": 1})  # may be tried again
    assert growth == of_a_failed_job
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
    assert last_release(life.spool, uid) is not None
    life.decide()
    life.night()
    assert performed_count(node.database, uid) is None
    assert last_release(life.spool, uid) is None


def test_a_late_report_is_looked_into_before_its_row_goes(either: JobNode) -> None:
    node, life = either, Life(either)
    doubted = life.day(JobState.COMMITTED)
    with node.database.begin() as connection:
        connection.execute(commitments.update().values(state="CONTRADICTED"))
    life.day(JobState.COMMITTED)
    for _ in range(9):
        life.night()
    with node.database.begin() as connection:
        for table, rows in ((commitments, 1), (deliveries, 3)):
            assert list(connection.scalars(sa.select(table.c.job_id))) == rows * [doubted.id]
        connection.execute(commitments.update().values(state="EXPIRED"))
    assert sweep_records(node.database, KEEP, datetime.now(UTC)) == 4


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
