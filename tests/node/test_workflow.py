from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pynetdicom import evt
from pynetdicom.association import Association

from node.database.tables import instances
from node.jobs.ledger import JobState
from node.steps.folder import JobFolder
from node.work import Work
from node.workflow import COMMIT, DELIVER, MAKE, workflow_id
from tests.node.dispatch.scp import StorageSCP, storage_scp
from tests.node.job_node import JobNode, job_node
from tests.servers import wait_until

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


def test_workflow_ids_name_job_run_destination_and_attempt() -> None:
    assert workflow_id(MAKE, Work("j", 0)) == "j.0"
    assert workflow_id(MAKE, Work("j", 0, 2)) == "j.0.2"
    assert workflow_id(DELIVER, Work("j", 1, 1, "pacs")) == "j.1.pacs.deliver"
    assert workflow_id(COMMIT, Work("j", 1, 3, "pacs")) == "j.1.pacs.commit.3"


def test_without_commitment_the_job_stays_sent(node: JobNode, scp: StorageSCP) -> None:
    job = node.make_job(8)
    node.wait_for(job, JobState.SENT)
    wait_until(lambda: node.ledger.require(job.id).finished is not None, 30)
    done = node.ledger.require(job.id)
    assert done.state is JobState.SENT
    assert "not to be asked by C-FIND" in done.reason
    folder = JobFolder(node.folder / "data" / "jobs" / job.id)
    assert not folder.translated.exists()
    assert {uid for one in folder.written or [] for uid in one.sop_instance_uids} <= set(scp.stored)


def test_refused_by_the_gate(node: JobNode) -> None:
    job = node.make_job(8, attributes={"BodyPartExamined": "HEAD"})
    refused = node.wait_for(job, JobState.REFUSED)
    assert "HEAD" in refused.reason or "head" in refused.reason
    assert refused.attempts == 1


def test_red_quality_is_held_and_can_be_released(node: JobNode, scp: StorageSCP) -> None:
    job = node.make_job(8, parameters={"strength": 0.25})
    held = node.wait_for(job, JobState.HELD)
    assert "told to be weak" in held.reason
    assert held.qc["verdict"] == "RED"
    before = scp.requests
    node.ledger.release(job.id)
    done = node.wait_for(job, JobState.SENT)
    assert done.accept_held
    assert scp.requests == before + 10


def test_bad_objects_are_held_even_when_released(node: JobNode, scp: StorageSCP) -> None:
    uids = node.send_series(8)
    job = node.job_of(uids, parameters={"strength": 0.25})
    node.wait_for(job, JobState.HELD)
    (path, *_) = (node.folder / "data" / "jobs" / job.id / "derived").glob("*.dcm")
    damaged = path.read_bytes().replace(b"SYNTHETIC", b"ACQUIRED!")
    path.write_bytes(damaged)
    before = scp.requests
    node.ledger.release(job.id)
    held = node.wait_for(job, JobState.HELD)
    wait_until(lambda: "must not leave" in node.ledger.require(job.id).reason, 60)
    assert scp.requests == before
    assert held.run == 1


def test_cancelled_while_it_waits(node: JobNode) -> None:
    long = node.make_job(60)
    waiting = node.make_job(8)
    assert node.ledger.cancel(waiting.id).state is JobState.CANCELLED
    node.wait_for_step(long, "translate")
    node.ledger.cancel(long.id)
    after = node.make_job(8)
    node.wait_for(after, JobState.SENT)  # the queue goes on at once
    for job in (long, waiting):
        now = node.ledger.require(job.id)
        assert now.state is JobState.CANCELLED
        assert now.derived_series == []
    node.ledger.retry(waiting.id)
    node.wait_for(waiting, JobState.SENT)


def test_a_slow_destination_gets_few_associations_at_a_time(tmp_path: Path) -> None:
    under_way: set[Association] = set()
    at_a_time = [0]

    def slowly(_count: int, event: evt.Event) -> int:
        under_way.add(event.assoc)  # one instance at a time, so one of each association
        at_a_time.append(len(under_way))
        time.sleep(0.2)
        under_way.remove(event.assoc)
        return 0x0000

    with storage_scp(slowly) as slow, job_node(tmp_path / "node", slow) as node:
        uids = [node.send_series(8) for _ in range(3)]
        node.start_worker("--pause-s", "0")
        jobs = [node.job_of(one) for one in uids]
        for job in jobs:
            node.wait_for(job, JobState.SENT)
    assert max(at_a_time) <= 2  # the one that began at once, and one from the queue


def test_urgent_jobs_first(node: JobNode) -> None:
    later, sooner = node.send_series(8), node.send_series(8)
    first = node.make_job(40)
    node.wait_for_step(first, "translate")
    low = node.job_of(later, priority="low")
    high = node.job_of(sooner, priority="high")
    node.wait_for(low, JobState.SENT)
    low, high = node.ledger.require(low.id), node.ledger.require(high.id)
    assert low.started is not None
    assert high.started is not None
    assert high.started < low.started


def test_unknown_destination_fails_with_a_sentence(node: JobNode) -> None:
    job = node.make_job(8, destinations=["elsewhere"])
    failed = node.wait_for(job, JobState.FAILED)
    assert failed.reason == (
        "There is no peer named 'elsewhere' to send to; add it to the configuration."
    )


def test_a_job_for_another_model_is_made_by_the_installed_one(node: JobNode) -> None:
    job = node.make_job(8, model="ldct_denoise@0.9.0", weights_sha256="ab" * 32)
    node.wait_for(job, JobState.CANCELLED)
    again = node.job_of(job.sources["CT"])  # which is there
    assert again.evidence["recalled_job"] == job.id
    assert len(node.wait_for(again, JobState.SENT).derived_series) == 3


def test_sources_gone_from_the_spool(node: JobNode) -> None:
    uids = node.send_series(8)
    with node.database.begin() as connection:
        job = node.job_of(uids)
        connection.execute(
            instances.update()
            .where(instances.c.sop_instance_uid == uids[0])
            .values(deleted=job.created)
        )
    failed = node.wait_for(job, JobState.FAILED)
    assert "send the series again" in failed.reason
