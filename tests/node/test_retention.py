from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from node.config import RetentionSettings
from node.database import instances, jobs
from node.job_states import JobState
from node.retention import JobEnd, Retention, derived_may_go, received_may_go
from tests.node.dispatch.scp import StorageSCP
from tests.node.job_node import job_node

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


@pytest.mark.parametrize("state", list(JobState))
def test_derived(state: JobState) -> None:
    old = derived_may_go(ended(state, 501), SETTINGS, NOW)
    assert old is (state in (JobState.COMMITTED, JobState.CANCELLED))
    assert not derived_may_go(ended(state, 499), SETTINGS, NOW)
    assert not derived_may_go(JobEnd(state, None), SETTINGS, NOW)


def test_sweep_deletes_files_and_remembers(tmp_path: Path) -> None:
    with job_node(tmp_path, StorageSCP(port=1)) as node:
        job = node.make_job(4)
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
        assert retention.sweep(datetime.now(UTC)) == 0
        assert retention.sweep(later) == 4 + 1
        assert not list((data / "spool").rglob("*.dcm"))
        assert not derived.exists()
        with node.database.connect() as connection:
            deleted = list(connection.execute(sa.select(instances.c.deleted)).scalars())
        assert len(deleted) == 4
        assert all(deleted)
        assert retention.sweep(later) == 0
