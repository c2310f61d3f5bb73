from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from node.commitment import CommitmentLedger, CommitmentState
from node.config import PeerSettings
from node.database import commitments
from node.dispatch import c_store
from node.dispatch.errors import DestinationUnavailable, ServiceNotOffered
from node.dispatch.outgoing import Outgoing, read_outgoing
from tests.node.dispatch.scp import storage_scp
from tests.node.job_node import JobNode, job_node, receiving
from tests.servers import free_port, run_orthanc
from tests.synthetic import write_ct_series


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobNode]:
    folder = tmp_path_factory.mktemp("commitment")
    with (
        run_orthanc(folder / "orthanc") as orthanc,
        job_node(folder, orthanc) as made,
        receiving(made),
    ):
        yield made


@pytest.fixture
def instances(tmp_path: Path) -> list[Outgoing]:
    return [read_outgoing(path) for path in write_ct_series(tmp_path / "ct", slices=4)]


def store(node: JobNode, instances: list[Outgoing]) -> PeerSettings:
    (peer,) = node.config.peers
    c_store.send(instances, peer, "VSCANNER", 20, lambda _answer: None)
    return peer


@pytest.mark.orthanc
def test_everything_is_committed(node: JobNode, instances: list[Outgoing]) -> None:
    ledger, peer = CommitmentLedger(node.database, node.config), store(node, instances)
    transaction = ledger.ask("job-1", peer, instances)
    report = ledger.wait([transaction], 30)
    assert report.state is CommitmentState.COMMITTED
    assert report.failed == {}


@pytest.mark.orthanc
def test_what_is_not_there_is_named(node: JobNode, instances: list[Outgoing]) -> None:
    ledger, peer = CommitmentLedger(node.database, node.config), store(node, instances[:-1])
    transaction = ledger.ask("job-2", peer, instances)
    report = ledger.wait([transaction], 30)
    assert report.state is CommitmentState.FAILED
    assert set(report.failed) == {instances[-1].sop_instance_uid}


def test_no_report_in_time(node: JobNode) -> None:
    ledger = CommitmentLedger(node.database, node.config)
    with node.database.begin() as connection:
        connection.execute(
            commitments.insert().values(
                transaction_uid="1.2.3",
                job_id="job-3",
                destination="pacs",
                state="ASKED",
                failed={},
                asked=sa.func.current_timestamp(),
            )
        )
    began = time.monotonic()
    assert ledger.wait(["1.2.3"], 0.2).state is CommitmentState.ASKED
    assert time.monotonic() - began < 5
    ledger.expire(["1.2.3"])
    assert ledger.report("1.2.3").state is CommitmentState.EXPIRED
    assert ledger.asked_before("job-3", "pacs") == []


@pytest.mark.orthanc
def test_question_of_a_killed_worker_counts(node: JobNode, instances: list[Outgoing]) -> None:
    ledger, peer = CommitmentLedger(node.database, node.config), store(node, instances)
    transaction = ledger.ask("job-4", peer, instances)
    assert ledger.asked_before("job-4", "pacs") == [transaction]
    assert ledger.asked_before("job-4", "elsewhere") == []


def test_peer_without_the_service(node: JobNode, instances: list[Outgoing]) -> None:
    ledger = CommitmentLedger(node.database, node.config)
    with storage_scp() as scp, pytest.raises(ServiceNotOffered):
        ledger.ask("job-5", scp.peer(), instances)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_peer_that_is_down(node: JobNode, instances: list[Outgoing]) -> None:
    ledger = CommitmentLedger(node.database, node.config)
    peer = PeerSettings(name="pacs", ae_title="X", host="127.0.0.1", port=free_port())
    with pytest.raises(DestinationUnavailable, match="is it running"):
        ledger.ask("job-6", peer, instances)
    gc.collect()  # pynetdicom 3.0.4 leaves the socket of a refused connection to the collector
