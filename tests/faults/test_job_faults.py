"""Workers are killed in each step, destinations fail in every way: nothing lost, nothing twice."""

from __future__ import annotations

import hashlib
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pynetdicom import evt

from node.dispatch.outgoing import read_outgoing
from node.jobs.ledger import Job, JobState
from node.working.heartbeat import Executor
from tests.faults.killing import Point, running, work
from tests.node.dispatch.scp import Answer, StorageSCP, storage_scp
from tests.node.job_node import PATIENCE_S, JobNode, job_node, receiving
from tests.servers import OrthancServer, free_port, run_orthanc, wait_until

SLICES = 40
OFTEN = 50
READ = "association.StorageAssociation._fill < association.StorageAssociation._read_pdu"
CONCLUDED = "commit ledger.JobLedger.update < work.JobWork._advance < work.JobWork._conclude"
IN_THE_MIDDLE = {
    "gate": Point("replace part10.write_synced < part10.write_durable < folder.write_json"),
    "translate": Point(
        "fdatasync translate._write_npy < translate._keep_slices < translate.translate_step"
    ),
    "write": Point("replace part10.write_synced", SLICES // 2),
    "check": Point(CONCLUDED, 4),
    "dispatch": Point(f"recv {READ} < association.StorageAssociation._answer", SLICES // 2),
    "commitment": Point(
        "commit ledger.CommitmentLedger.ask < delivery.Delivery._by_commitment"
        " < delivery.Delivery.commit"
    ),
}
"""Where a worker dies within each step."""


@dataclass
class Site:
    """A PACS, and a node with our receiver."""

    pacs: OrthancServer
    node: JobNode


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    with (
        run_orthanc(folder / "orthanc") as pacs,
        job_node(folder / "node", pacs) as node,
        receiving(node),
    ):
        yield Site(pacs, node)


def dataset_digest(file: bytes) -> str:
    """Digest of the data set of a Part 10 file: a PACS writes its own File Meta Information."""
    length = int.from_bytes(file[140:144], "little")
    return hashlib.sha256(file[144 + length :]).hexdigest()


def held_by(pacs: OrthancServer, job: Job) -> dict[str, str]:
    """SOP Instance UID to digest of what the PACS holds of the job."""
    held = {}
    for series in job.derived_series:
        for orthanc_id in pacs.instances_of(series):
            uid = pacs.get(f"/instances/{orthanc_id}")["MainDicomTags"]["SOPInstanceUID"]
            held[uid] = dataset_digest(pacs.file(orthanc_id))
    return held


def ours(node: JobNode, job: Job) -> dict[str, str]:
    """SOP Instance UID to digest of what lies in the job's folder."""
    folder = node.folder / "data" / "jobs" / job.id / "derived"
    paths = list(folder.glob("*.dcm"))
    return {read_outgoing(p).sop_instance_uid: dataset_digest(p.read_bytes()) for p in paths}


def assert_there_once(node: JobNode, pacs: OrthancServer, job: Job) -> None:
    derived = ours(node, job)
    assert len(derived) == SLICES + 2  # images, report, label
    assert held_by(pacs, job) == derived


@pytest.mark.orthanc
@pytest.mark.parametrize("step", IN_THE_MIDDLE)
def test_worker_killed_in_each_step(site: Site, step: str) -> None:
    job = site.node.make_job(SLICES, attributes={"rows": 128, "columns": 128})
    kill_a_worker(site.node, IN_THE_MIDDLE[step])
    now = site.node.ledger.require(job.id)
    assert (now.step, now.finished) == (step, None)
    before = ours(site.node, job)
    with running(work, site.node.config, site.node.folder / "next"):
        done = site.node.wait_for(job, JobState.COMMITTED)
    assert_there_once(site.node, site.pacs, done)
    assert before.items() <= ours(site.node, job).items()


@pytest.mark.orthanc
def test_worker_killed_when_all_is_committed(site: Site) -> None:
    """Nothing of the job is done again, so all of it has to be in its row by then."""
    job = site.node.make_job(SLICES)
    kill_a_worker(site.node, Point(CONCLUDED, len(IN_THE_MIDDLE)))
    done = site.node.ledger.require(job.id)
    assert done.state is JobState.COMMITTED
    assert set(done.timings) == set(IN_THE_MIDDLE)


def kill_a_worker(node: JobNode, point: Point) -> None:
    """Let a worker work until it comes to that point."""
    with running(work, node.config, node.folder / "killed", point) as worker:
        worker.join(PATIENCE_S)
        assert worker.exitcode == -signal.SIGKILL


@pytest.mark.orthanc
def test_another_worker_takes_over(site: Site) -> None:
    pair = [site.node.start_worker("--pause-s", "0.05") for _ in range(2)]
    logs = [site.node.folder / f"worker-{site.node.workers.index(one)}.log" for one in pair]
    wait_until(lambda: workers_alive(site.node) == 2, PATIENCE_S, "both workers")
    job = site.node.make_job(SLICES, attributes={"rows": 128, "columns": 128})
    site.node.wait_for_step(job, "translate")
    holder = 1 if job.id in logs[1].read_text() else 0
    site.node.kill(pair[holder])
    wait_until(lambda: job.id in logs[1 - holder].read_text(), 30, "the other worker to take it")
    done = site.node.wait_for(job, JobState.COMMITTED)
    assert_there_once(site.node, site.pacs, done)


@pytest.mark.orthanc
def test_everything_killed(tmp_path: Path) -> None:
    port = free_port()
    with (
        run_orthanc(tmp_path / "first", our_port=port) as pacs,
        job_node(tmp_path / "node", pacs, max_attempts=OFTEN) as node,
        receiving(node),
    ):
        job = node.make_job(SLICES)
        kill_a_worker(node, IN_THE_MIDDLE["dispatch"])
    with (
        run_orthanc(tmp_path / "second", our_port=port) as pacs,  # it has lost its disk too
        job_node(tmp_path / "node", pacs, max_attempts=OFTEN) as node,
        receiving(node),
    ):
        node.start_worker()
        done = node.wait_for(job, JobState.COMMITTED)
        assert_there_once(node, pacs, done)


def workers_alive(node: JobNode) -> int:
    return len(Executor(node.database, node.folder / "data").registered())


def a700_five_times(count: int, _event: evt.Event) -> int:
    return 0xA700 if count < 5 else 0x0000


def abort_at_every_seventh(count: int, _event: evt.Event) -> int | None:
    return None if count % 7 == 6 else 0x0000


def slow_at_the_third(count: int, _event: evt.Event) -> int:
    if count == 2:
        time.sleep(3)
    return 0x0000


@pytest.mark.parametrize(
    ("answer", "timeout_s"),
    [(a700_five_times, 10), (abort_at_every_seventh, 10), (slow_at_the_third, 1)],
    ids=["refusing", "aborting", "slow"],
)
def test_destination_that_fails_for_a_while(
    tmp_path: Path, answer: Answer, timeout_s: float
) -> None:
    with (
        storage_scp(answer) as scp,
        job_node(tmp_path, scp, max_attempts=OFTEN, answer_timeout_s=timeout_s) as node,
    ):
        job = node.make_job(20)
        node.start_worker()
        done = node.wait_for(job, JobState.SENT)
        wait_until(lambda: node.ledger.require(job.id).finished is not None, 30)
        assert set(scp.stored) == set(ours(node, done))
        assert_bytes_arrived(node, done, scp)


def assert_bytes_arrived(node: JobNode, job: Job, scp: StorageSCP) -> None:
    arrived = {uid: hashlib.sha256(data).hexdigest() for uid, data in scp.stored.items()}
    assert arrived == ours(node, job)


def test_destination_down_then_up(tmp_path: Path) -> None:
    gone = StorageSCP(port=free_port())
    with job_node(tmp_path, gone, max_attempts=OFTEN) as node:
        job = node.make_job(8)
        node.start_worker()
        node.wait_for(job, JobState.WRITTEN)
        wait_until(lambda: "is it running" in node.ledger.require(job.id).reason, 60)
        with storage_scp(port=gone.port) as scp:
            done = node.wait_for(job, JobState.SENT)
            assert done.attempts > 0
            assert_bytes_arrived(node, done, scp)


def test_destination_that_refuses_for_good(tmp_path: Path) -> None:
    with (
        storage_scp(lambda count, _event: 0xA900 if count < 1 else 0) as scp,
        job_node(tmp_path, scp) as node,
    ):
        job = node.make_job(8)
        node.start_worker()
        failed = node.wait_for(job, JobState.FAILED)
        assert "refused 1 of 8 instances for good: A900H" in failed.reason
        assert failed.attempts == 1
        node.ledger.retry(job.id)  # the PACS was mended: only the refused one is sent again
        before = scp.requests
        node.wait_for(job, JobState.SENT)
        wait_until(lambda: len(scp.stored) == 10, 30)
        assert scp.requests == before + 3  # one image, report, label
        assert_bytes_arrived(node, node.ledger.require(job.id), scp)
