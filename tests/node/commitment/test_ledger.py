from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from pynetdicom import AE, evt
from pynetdicom.sop_class import StorageCommitmentPushModel  # type: ignore[attr-defined]

from node.commitment.ledger import CommitmentLedger
from node.commitment.states import CommitmentState
from node.config import PeerSettings
from node.database.tables import commitments
from node.dispatch import c_store
from node.dispatch.errors import (
    DestinationRefuses,
    DestinationUnavailable,
    InstancesLost,
    ServiceNotOffered,
)
from node.dispatch.outgoing import Outgoing, read_outgoing
from node.receiving.reports import ALL_COMMITTED, SOME_FAILED, CommitmentReport, record_report
from node.steps.folder import JobFolder, WrittenSeries
from node.working.delivery import Delivery
from tests.node.dispatch.scp import StorageSCP, storage_scp
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
    assert set(report.kept or ()) == {instance.sop_instance_uid for instance in instances}


@pytest.mark.orthanc
def test_what_is_not_there_is_named(node: JobNode, instances: list[Outgoing]) -> None:
    ledger, peer = CommitmentLedger(node.database, node.config), store(node, instances[:-1])
    transaction = ledger.ask("job-2", peer, instances)
    report = ledger.wait([transaction], 30)
    assert report.state is CommitmentState.FAILED
    assert set(report.failed) == {instances[-1].sop_instance_uid}
    assert set(report.kept or ()) == {instance.sop_instance_uid for instance in instances[:-1]}


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

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ledger.wait(["1.2.3"], 30, stop)
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


def test_peer_that_refuses_the_question(node: JobNode, instances: list[Outgoing]) -> None:
    entity = AE("ODD")
    entity.add_supported_context(StorageCommitmentPushModel)
    handlers: list[evt.EventHandlerType] = [(evt.EVT_N_ACTION, lambda _event: (0x0110, None))]
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    assert server is not None
    try:
        peer = StorageSCP(port=server.server_address[1]).peer()
        with pytest.raises(ServiceNotOffered, match="status 0110H"):
            CommitmentLedger(node.database, node.config).ask("job-7", peer, instances)
    finally:
        server.shutdown()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_peer_that_is_down(node: JobNode, instances: list[Outgoing]) -> None:
    ledger = CommitmentLedger(node.database, node.config)
    peer = PeerSettings(name="pacs", ae_title="X", host="127.0.0.1", port=free_port())
    with pytest.raises(DestinationUnavailable, match="is it running"):
        ledger.ask("job-6", peer, instances)
    gc.collect()  # pynetdicom 3.0.4 leaves the socket of a refused connection to the collector


UNASKED = "is not to be asked by C-FIND"
Answered = tuple[int, int, int]
"""How many instances a report names as lost, how many as kept, and its Event Type ID."""


@pytest.mark.parametrize(
    ("answered", "wanted"),
    [
        ((0, 0, SOME_FAILED), UNASKED),  # some failed, and it does not say which
        ((0, 3, ALL_COMMITTED), UNASKED),  # one of the four is left out
        ((0, 0, ALL_COMMITTED), UNASKED),
        ((0, 4, ALL_COMMITTED), ""),
        ((1, 3, SOME_FAILED), "does not keep 1 instances"),  # which are sent again
    ],
)
def test_a_report_that_does_not_speak_of_each_is_no_commitment(
    tmp_path: Path, answered: Answered, wanted: str
) -> None:
    """Nobody knows then what the PACS keeps: its index is asked, here one that may not be."""
    reports: list[str] = []

    def report(event: evt.Event) -> tuple[int, None]:
        transaction = str(event.action_information.TransactionUID)
        items = event.action_information.ReferencedSOPSequence
        kept = [str(item.ReferencedSOPInstanceUID) for item in items]
        lost = dict.fromkeys(kept[: answered[0]], 0x0112)
        kept = kept[answered[0] :][: answered[1]]
        record_report(made.database, CommitmentReport(transaction, lost, kept), answered[2])
        reports.append(transaction)
        return 0x0000, None

    entity = AE("ODD")
    entity.add_supported_context(StorageCommitmentPushModel)
    server = entity.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_N_ACTION, report)]
    )
    assert server is not None
    try:
        scp = StorageSCP(port=server.server_address[1])
        with job_node(tmp_path, scp) as made:
            peer = made.config.peers[0].model_copy(update={"storage_commitment": True})
            config = made.config.model_copy(update={"peers": (peer,)})
            job, folder = made.make_job(4), JobFolder(tmp_path)
            paths = sorted((tmp_path / "source-0").glob("*.dcm"))
            uids = tuple(read_outgoing(path).sop_instance_uid for path in paths)
            folder.set_written([WrittenSeries("1.2", "DEN", tuple(paths), uids)])
            delivery = Delivery(config, made.database)
            if not wanted:
                delivery.commit(job, folder, "pacs", lambda: None)
            else:
                with pytest.raises((DestinationRefuses, InstancesLost), match=wanted):
                    delivery.commit(job, folder, "pacs", lambda: None)
            assert reports
    finally:
        server.shutdown()
