from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from node.database.tables import deliveries, executors
from node.dispatch.ledger import DeliveryStatus
from node.jobs.ledger import JobState
from tests.node.dispatch.scp import StorageSCP, storage_scp
from tests.node.job_node import JobNode, job_node, receiving
from tests.servers import OrthancServer, wait_until

PAUSE = ("--pause-s", "0.05")


@pytest.fixture(scope="module")
def scp() -> Iterator[StorageSCP]:
    with storage_scp() as running:
        yield running


@pytest.fixture(scope="module")
def node(scp: StorageSCP, tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobNode]:
    with job_node(tmp_path_factory.mktemp("node"), scp) as running:
        running.start_worker(*PAUSE)
        yield running


@pytest.mark.orthanc
def test_a_job_from_queue_to_commitment(orthanc: OrthancServer, tmp_path: Path) -> None:
    with job_node(tmp_path / "node", orthanc) as node, receiving(node):
        job = node.make_job(slices=12, destinations=["source", "pacs"])  # the same peer
        worker = node.start_worker()
        node.wait_for(job, JobState.COMMITTED)
        wait_until(lambda: "commitment" in node.ledger.require(job.id).timings, 30)
        done = node.ledger.require(job.id)
        assert orthanc.series_uids() == set(done.derived_series)
        assert len(done.derived_series) == 3
        assert done.qc["verdict"] == "GREEN"
        assert done.finished is not None
        assert set(done.timings) == {
            *("gate", "translate", "write", "check", "dispatch", "commitment")
        }
        with node.database.connect() as connection:
            rows = connection.execute(sa.select(deliveries)).all()
        assert {(row.destination, row.status) for row in rows} == {
            ("pacs", DeliveryStatus.COMMITTED)
        }
        assert len(rows) == 14
        worker.terminate()
        assert worker.wait(30) == 0
        with node.database.connect() as connection:
            assert connection.execute(sa.select(executors)).all() == []


def test_jobs_start_quickly(node: JobNode) -> None:
    node.wait_for(node.make_job(8), JobState.SENT)  # the worker is there
    job = node.make_job(8)
    done = node.wait_for(job, JobState.SENT)
    assert done.started is not None
    waited = (done.started - done.created).total_seconds()
    assert waited < 5  # 0.1 s on an idle machine; see benchmarks/latency.py
