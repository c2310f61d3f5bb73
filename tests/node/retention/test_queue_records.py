"""DBOS's own rows go when their job ended long ago; nothing that may still be needed goes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from node.jobs.ledger import JobState
from node.retention import queue_records
from node.retention.queue_records import prune_workflows
from tests.node.dbos_tables import dbos_table, launched_node, record, recorded
from tests.node.dispatch.scp import storage_scp
from tests.node.job_node import JobNode, job_node
from tests.servers import wait_until

NOW = datetime.now(UTC)
LONG_AGO = NOW - timedelta(days=30)


@pytest.fixture
def node(either_database: str, tmp_path: Path) -> Iterator[JobNode]:
    with launched_node(tmp_path, either_database) as made:
        yield made


def prune(node: JobNode) -> int:
    return prune_workflows(node.database, node.config.retention, NOW)


def test_what_ended_goes_and_what_may_go_on_stays(node: JobNode) -> None:
    job = node.make_job(2)
    node.change(job, state="COMMITTED", finished=LONG_AGO)
    ended = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
    under_way = ["PENDING", "ENQUEUED", "DELAYED"]
    for status in (*ended, *under_way):
        record(node, f"{job.id}.{status}", status, LONG_AGO)
    assert prune(node) == len(ended)
    kept = {f"{job.id}.{status}" for status in under_way}
    assert set(recorded(node)) == set(recorded(node, "operation_outputs")) == kept
    assert prune(node) == 0


@pytest.mark.parametrize(
    "values",
    [
        {"state": "SENT", "finished": None},
        {"state": "COMMITTED", "finished": NOW - timedelta(days=1)},
    ],
    ids=["under way", "ended yesterday"],
)
def test_workflows_of_a_job_that_may_need_them_stay(node: JobNode, values: dict[str, Any]) -> None:
    job = node.make_job(2)
    node.change(job, **values)
    record(node, f"{job.id}.0", "SUCCESS", LONG_AGO)
    assert prune(node) == 0
    assert recorded(node) == [f"{job.id}.0"]


def test_of_a_job_that_nobody_knows_only_what_is_old_goes(node: JobNode) -> None:
    """Another node's, or one whose tables were lost."""
    record(node, "unknown.0", "SUCCESS", LONG_AGO)
    record(node, "unknown.1", "SUCCESS", NOW)
    assert prune(node) == 1
    assert recorded(node) == ["unknown.1"]


def test_many_are_looked_through_a_few_at_a_time(
    node: JobNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_records, "AT_ONCE", 2)
    kept, gone = node.make_job(2), node.make_job(3)
    node.change(kept, finished=None)
    node.change(gone, state="COMMITTED", finished=LONG_AGO)
    for number in range(3):
        for job in (kept, gone):
            record(node, f"{job.id}.{number}", "SUCCESS", LONG_AGO + timedelta(seconds=number))
    assert prune(node) == 3
    assert {one.partition(".")[0] for one in recorded(node)} == {kept.id}


def test_a_worker_does_it(tmp_path: Path) -> None:
    with storage_scp() as scp, job_node(tmp_path, scp) as node:
        job = node.make_job(8)
        worker = node.start_worker()
        node.wait_for(job, JobState.SENT)
        # make, deliver, commit: after the end of the job comes that of its last workflow
        wait_until(lambda: len(recorded(node, status="SUCCESS")) == 3, 90, "the workflows to end")
        worker.terminate()
        assert worker.wait(60) == 0
        node.change(job, finished=LONG_AGO)
        with dbos_table(node, "workflow_status") as (connection, name):
            milliseconds = int(LONG_AGO.timestamp() * 1000)
            connection.execute(sa.text(f"UPDATE {name} SET created_at = {milliseconds}"))
        node.start_worker()
        wait_until(lambda: not recorded(node), 90, "the records to be deleted")
        now = node.ledger.require(job.id)
        assert (now.state, now.run) == (JobState.SENT, job.run)  # it stays, and is not run again
