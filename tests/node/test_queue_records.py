"""DBOS's own rows go when their job ended long ago; nothing that may still be needed goes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from node.database import jobs
from node.jobs import JobState
from tests.node.dispatch.scp import StorageSCP, storage_scp
from tests.node.job_node import JobNode, empty, job_node
from tests.servers import wait_until

LONG_AGO = datetime.now(UTC) - timedelta(days=30)


@pytest.fixture(scope="module")
def scp() -> Iterator[StorageSCP]:
    with storage_scp() as running:
        yield running


@contextmanager
def of_dbos(node: JobNode, table: str) -> Iterator[tuple[Connection, str]]:
    """A connection to DBOS's database, and the name of one of its tables there."""
    url, name = node.config.node.database, f"dbos.{table}"
    if url == "sqlite":
        url, name = f"sqlite:///{node.config.node.data_dir / 'dbos.sqlite'}", table
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))
    with engine.begin() as connection:
        yield connection, name
    engine.dispose()


def recorded(node: JobNode, table: str = "workflow_status", status: str = "") -> list[str]:
    """Workflow ids in one of DBOS's tables; where asked for, those of a status."""
    with of_dbos(node, table) as (connection, name):
        only = f"WHERE status = '{status}'" if status else ""
        query = sa.text(f"SELECT workflow_uuid FROM {name} {only}")
        return [row[0] for row in connection.execute(query)]


def age_records(node: JobNode) -> None:
    """All workflows began long ago."""
    with of_dbos(node, "workflow_status") as (connection, name):
        milliseconds = int(LONG_AGO.timestamp() * 1000)
        connection.execute(sa.text(f"UPDATE {name} SET created_at = {milliseconds}"))


def prune(node: JobNode) -> None:
    """A worker that has just started sweeps."""
    node.workers[-1].terminate()
    assert node.workers[-1].wait(60) == 0
    worker = node.start_worker()
    wait_until(
        lambda: "workflows_pruned" in (node.folder / "worker-1.log").read_text(),
        90,
        "the records to be deleted",
    )
    worker.terminate()
    assert worker.wait(60) == 0


def check_that_only_old_records_go(node: JobNode) -> None:
    old, fresh, held = (node.make_job(slices) for slices in (8, 9, 10))
    node.start_worker()
    for job in (old, fresh, held):
        node.wait_for(job, JobState.SENT, JobState.COMMITTED)
    # make, deliver, commit of each job: after the end of the job comes that of its last workflow
    wait_until(lambda: len(recorded(node, status="SUCCESS")) == 9, 90, "all workflows to end")
    assert all(node.ledger.require(job.id).finished for job in (old, fresh, held))
    with node.database.begin() as connection:
        rows: dict[str, dict[str, Any]] = {
            old.id: {"finished": LONG_AGO},
            held.id: {"finished": None, "state": JobState.HELD, "started": LONG_AGO},
        }
        for job_id, values in rows.items():
            connection.execute(jobs.update().where(jobs.c.id == job_id).values(**values))
    age_records(node)
    prune(node)
    left = {one.partition(".")[0] for one in recorded(node)}
    assert left == {fresh.id, held.id}
    assert len(recorded(node)) == 6
    assert not any(old.id in one for one in recorded(node, "operation_outputs"))
    assert node.ledger.require(old.id).run == old.run  # the job stays, and is not run again
    assert node.job_of([uid for uids in old.sources.values() for uid in uids]).id == old.id


def test_sqlite(tmp_path: Path, scp: StorageSCP) -> None:
    with job_node(tmp_path, scp) as node:
        check_that_only_old_records_go(node)


@pytest.mark.postgresql
def test_postgresql(postgresql: str, tmp_path: Path, scp: StorageSCP) -> None:
    with job_node(tmp_path, scp, postgresql) as node:
        empty(node.database)
        check_that_only_old_records_go(node)
