from __future__ import annotations

import logging
import os
import shutil
import signal
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from node.database.tables import deliveries, jobs
from node.jobs.ledger import Job, JobLedger, JobState
from node.working.heartbeat import Executor
from node.working.recovery import reconcile, recover_workflows_of_the_dead
from tests.node.dbos_tables import dbos_table, launched_node, record, recorded
from tests.node.dispatch.scp import StorageSCP, storage_scp
from tests.node.job_node import JobNode, empty, job_node
from tests.servers import wait_until

PAUSE = ("--pause-s", "0.05")
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def scp() -> Iterator[StorageSCP]:
    with storage_scp() as running:
        yield running


@pytest.fixture
def node(either_database: str, tmp_path: Path) -> Iterator[JobNode]:
    with launched_node(tmp_path, either_database) as made:
        yield made


@pytest.mark.parametrize("state", ["QUEUED", "RUNNING", "WRITTEN", "SENT"])
def test_a_job_without_a_workflow_runs_again(node: JobNode, state: str) -> None:
    job = node.change(node.make_job(2), state=state, enqueued_run=2, run=2)
    record(node, f"{job.id}.1", "ENQUEUED", NOW)  # of another run
    record(node, f"{job.id}.2", "SUCCESS", NOW)
    reconcile(node.ledger)
    now = node.ledger.require(job.id)
    assert (now.state, now.run, now.has_begun) == (JobState.QUEUED, 3, False)
    assert now.reason == ""


@pytest.mark.parametrize("status", ["PENDING", "ENQUEUED", "DELAYED"])
def test_a_job_with_a_workflow_is_left_alone(node: JobNode, status: str) -> None:
    job = node.change(node.make_job(2), state="WRITTEN", enqueued_run=2, run=2)
    record(node, f"{job.id}.2", "SUCCESS", NOW)
    record(node, f"{job.id}.2.pacs.deliver", status, NOW)
    reconcile(node.ledger)
    assert node.ledger.require(job.id) == job


@pytest.mark.parametrize(
    "values",
    [
        {"state": "QUEUED"},
        {"state": "QUEUED", "run": 1, "enqueued_run": 0},
        {"state": "SENT", "enqueued_run": 0, "finished": datetime.now(UTC)},
        {"state": "FAILED", "enqueued_run": 0, "finished": datetime.now(UTC)},
    ],
    ids=["new", "retried", "not confirmed", "failed"],
)
def test_a_job_that_needs_no_workflow_is_left_alone(node: JobNode, values: dict[str, Any]) -> None:
    job = node.change(node.make_job(2), **values)
    reconcile(node.ledger)
    assert node.ledger.require(job.id) == job


def test_a_job_of_which_worker_after_worker_died_fails(node: JobNode) -> None:
    job = node.change(node.make_job(2), state="RUNNING", enqueued_run=0)
    record(node, f"{job.id}.0", "MAX_RECOVERY_ATTEMPTS_EXCEEDED", NOW)
    reconcile(node.ledger)
    now = node.ledger.require(job.id)
    assert (now.state, now.run) == (JobState.FAILED, 0)
    assert "5 workers died while they worked on this job" in now.reason
    assert now.finished


def test_a_job_that_goes_on_while_it_is_looked_at_is_left_alone(node: JobNode) -> None:
    """Its last workflow ended between the look at the row and the look at the workflows."""
    job = node.change(node.make_job(2), state="SENT", enqueued_run=0)

    class Late(JobLedger):
        def under_way(self) -> Sequence[Job]:
            found = super().under_way()
            node.change(job, finished=datetime.now(UTC), reason="Not confirmed.")
            return found

    reconcile(Late(node.database))
    now = node.ledger.require(job.id)
    assert (now.state, now.run, now.reason) == (JobState.SENT, 0, "Not confirmed.")


def test_only_work_of_the_dead_is_taken_over(
    node: JobNode, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "node.working.recovery")
    living = Executor(node.database, node.config.node.data_dir)
    living.register()
    for executor in (living.id, "dead", "this-process"):
        record(node, executor, "SUCCESS", NOW)
    with dbos_table(node, "workflow_status") as (connection, name):
        begun = f"UPDATE {name} SET status = 'PENDING', executor_id = workflow_uuid"
        connection.execute(sa.text(f"{begun} WHERE workflow_uuid != 'this-process'"))
    recover_workflows_of_the_dead(living)
    done = {"dead", "this-process"}
    wait_until(lambda: set(recorded(node, status="SUCCESS")) == done, 30, "the dead one's work")
    assert recorded(node, status="PENDING") == [living.id]
    recover_workflows_of_the_dead(living)
    (said,) = caplog.records
    assert "took over the work of dead workers" in said.getMessage()
    assert vars(said)["executors"] == 1
    living.remove(living.id)


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
