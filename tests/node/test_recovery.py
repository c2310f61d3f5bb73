from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from node.database import deliveries, jobs
from node.jobs import JobState
from tests.node.dispatch.scp import StorageSCP, storage_scp
from tests.node.job_node import empty, job_node

PAUSE = ("--pause-s", "0.05")


@pytest.fixture(scope="module")
def scp() -> Iterator[StorageSCP]:
    with storage_scp() as running:
        yield running


def test_lost_queue_is_made_again(tmp_path: Path, scp: StorageSCP) -> None:
    with job_node(tmp_path, scp) as node:
        job = node.make_job(30)
        worker = node.start_worker(*PAUSE)
        node.wait_for_step(job, "translate")
        node.kill(worker)
        for path in (tmp_path / "data").glob("dbos.sqlite*"):
            path.unlink()
        node.start_worker()
        assert node.wait_for(job, JobState.SENT).run == 1


def test_a_node_that_was_copied_to_another_place_goes_on(tmp_path: Path, scp: StorageSCP) -> None:
    """Everything is below `data_dir`; nothing in it says where that is."""
    with job_node(tmp_path / "old", scp) as node:
        job = node.make_job(30)
        worker = node.start_worker(*PAUSE)
        node.wait_for_step(job, "translate")
        node.kill(worker)
    with job_node(tmp_path / "new", scp) as moved:
        moved.database.dispose()
        shutil.rmtree(tmp_path / "new" / "data")
        shutil.move(tmp_path / "old" / "data", tmp_path / "new" / "data")
        shutil.rmtree(tmp_path / "old")
        moved.start_worker()
        moved.wait_for(job, JobState.SENT)
        assert len(moved.ledger.list()) == 1


@pytest.mark.postgresql
def test_two_workers_on_postgresql(postgresql: str, tmp_path: Path, scp: StorageSCP) -> None:
    with job_node(tmp_path, scp, postgresql) as node:
        empty(node.database)
        for _ in range(2):
            node.start_worker(*PAUSE)
        made = [node.make_job(20) for _ in range(4)]
        node.wait_for_step(made[0], "translate")
        os.kill(node.workers[0].pid, signal.SIGKILL)
        for job in made:
            node.wait_for(job, JobState.SENT)
        with node.database.connect() as connection:
            uids = list(connection.execute(sa.select(deliveries.c.sop_instance_uid)).scalars())
            assert connection.execute(sa.select(sa.func.count()).select_from(jobs)).scalar() == 4
        assert len(uids) == len(set(uids)) == 4 * 22
