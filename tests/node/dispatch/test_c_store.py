from __future__ import annotations

import hashlib
import socket
import threading
import time
from pathlib import Path

import pydicom
import pytest
from pynetdicom import evt

from node.config import PeerSettings
from node.dispatch import c_store
from node.dispatch.errors import DestinationRefuses, DestinationUnavailable
from node.dispatch.outgoing import Answer, Outgoing, contexts_of, read_outgoing
from tests.node.dispatch.scp import storage_scp
from tests.servers import OrthancServer, free_port
from tests.synthetic import write_ct_series


@pytest.fixture
def instances(tmp_path: Path) -> list[Outgoing]:
    return [read_outgoing(path) for path in write_ct_series(tmp_path / "ct", slices=6)]


def send(
    instances: list[Outgoing], peer: PeerSettings, timeout_s: float = 10.0
) -> tuple[list[Answer], Exception | None]:
    answers: list[Answer] = []
    try:
        c_store.send(instances, peer, "VSCANNER", timeout_s, answers.append)
    except (DestinationRefuses, DestinationUnavailable) as error:
        return answers, error
    return answers, None


def test_outgoing_is_what_the_file_says(tmp_path: Path) -> None:
    (path,) = write_ct_series(tmp_path, slices=1)
    ds, outgoing = pydicom.dcmread(path), read_outgoing(path)
    assert outgoing.sop_instance_uid == ds.SOPInstanceUID
    assert outgoing.sop_class_uid == ds.SOPClassUID
    assert outgoing.transfer_syntax_uid == ds.file_meta.TransferSyntaxUID
    assert path.read_bytes()[outgoing.offset :][:2] == b"\x08\x00"


def test_bytes_arrive_as_they_lie_on_disk(instances: list[Outgoing]) -> None:
    with storage_scp() as scp:
        answers, error = send(instances, scp.peer())
    assert error is None
    assert [a.sop_instance_uid for a in answers] == [i.sop_instance_uid for i in instances]
    assert scp.associations == 1
    for one in instances:
        assert scp.stored[one.sop_instance_uid] == one.path.read_bytes()[one.offset :]


def test_large_instances_need_many_pdus(tmp_path: Path) -> None:
    paths = write_ct_series(tmp_path, slices=2, rows=512, columns=512)
    some = [read_outgoing(path) for path in paths]
    with storage_scp() as scp:
        assert send(some, scp.peer())[1] is None
    for one in some:
        assert scp.stored[one.sop_instance_uid] == one.path.read_bytes()[one.offset :]


@pytest.mark.parametrize("code", [0xB000, 0xB006, 0xB007])
def test_warnings_are_kept(instances: list[Outgoing], code: int) -> None:
    with storage_scp(lambda _count, _event: code) as scp:
        answers, error = send(instances, scp.peer())
    assert error is None
    assert {(a.kept, a.code) for a in answers} == {(True, code)}


def test_out_of_resources_stops_and_may_pass(instances: list[Outgoing]) -> None:
    with storage_scp(lambda count, _event: 0xA700 if count == 2 else 0) as scp:
        answers, error = send(instances, scp.peer())
    assert isinstance(error, DestinationUnavailable)
    assert [a.kept for a in answers] == [True, True, False]
    assert answers[2].again
    assert "A700H, out of resources" in str(error)


@pytest.mark.parametrize("code", [0xA900, 0xC000, 0x0122])
def test_one_refused_instance_does_not_stop_the_others(
    instances: list[Outgoing], code: int
) -> None:
    with storage_scp(lambda count, _event: code if count == 1 else 0) as scp:
        answers, error = send(instances, scp.peer())
    assert isinstance(error, DestinationRefuses)
    assert "refused 1 of 6 instances for good" in str(error)
    assert sum(a.kept for a in answers) == 5
    assert len(scp.stored) == 5


def test_abort_half_way(instances: list[Outgoing]) -> None:
    with storage_scp(lambda count, _event: None if count == 3 else 0) as scp:
        answers, error = send(instances, scp.peer())
    assert isinstance(error, DestinationUnavailable)
    assert len(answers) == 3


def test_slow_peer_is_given_up(instances: list[Outgoing]) -> None:
    def slow(count: int, _event: evt.Event) -> int:
        if count == 1:
            time.sleep(1.5)
        return 0

    with storage_scp(slow) as scp:
        answers, error = send(instances, scp.peer(), timeout_s=0.5)
    assert isinstance(error, DestinationUnavailable)
    assert len(answers) == 1
    assert scp.requests == 2  # the association is not used again


def test_unknown_caller_is_refused_for_good(instances: list[Outgoing]) -> None:
    with storage_scp(require_calling="SOMEBODY") as scp:
        _, error = send(instances, scp.peer())
    assert isinstance(error, DestinationRefuses)
    assert "AE title" in str(error)


def test_nobody_there(instances: list[Outgoing]) -> None:
    peer = PeerSettings(name="pacs", ae_title="X", host="127.0.0.1", port=free_port())
    _, error = send(instances, peer)
    assert isinstance(error, DestinationUnavailable)
    assert "is it running" in str(error)


def test_peer_that_accepts_and_says_nothing(instances: list[Outgoing]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        peer = PeerSettings(name="pacs", ae_title="X", host="127.0.0.1", port=port)
        _, error = send(instances, peer, timeout_s=0.3)
    assert isinstance(error, DestinationUnavailable)


def test_peer_that_answers_garbage(instances: list[Outgoing]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=answer).start()
        port = server.getsockname()[1]
        peer = PeerSettings(name="pacs", ae_title="X", host="127.0.0.1", port=port)
        _, error = send(instances, peer, timeout_s=5)
    assert isinstance(error, DestinationUnavailable)


def test_rejected_context(instances: list[Outgoing]) -> None:
    with storage_scp(syntaxes=("1.2.840.10008.1.2.2",)) as scp:
        answers, error = send(instances, scp.peer())
    assert isinstance(error, DestinationRefuses)
    assert {a.code for a in answers} == {0x0122}
    assert scp.requests == 0


def test_one_context_for_each_class_and_syntax(tmp_path: Path) -> None:
    explicit = write_ct_series(tmp_path / "e", slices=2)
    implicit = write_ct_series(tmp_path / "i", slices=2, transfer_syntax="1.2.840.10008.1.2")
    instances = [read_outgoing(path) for path in (*explicit, *implicit)]
    assert len(contexts_of(instances)) == 2
    with storage_scp(syntaxes=("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")) as scp:
        assert send(instances, scp.peer())[1] is None
    assert len(scp.stored) == 4


def test_what_an_answer_raises_stops_the_sending(instances: list[Outgoing]) -> None:
    class Stop(BaseException):
        pass

    def stop(_answer: Answer) -> None:
        raise Stop

    with storage_scp() as scp:
        with pytest.raises(Stop):
            c_store.send(instances, scp.peer(), "VSCANNER", 10, stop)
        assert scp.requests == 1


@pytest.mark.orthanc
def test_orthanc_stores_every_byte(instances: list[Outgoing], orthanc: OrthancServer) -> None:
    peer = PeerSettings(
        name="pacs", ae_title=orthanc.ae_title, host="127.0.0.1", port=orthanc.dicom_port
    )
    answers, error = send(instances, peer)
    assert error is None
    assert all(a.kept and a.code == 0 for a in answers)
    (series,) = orthanc.series_uids()
    digests = {hashlib.sha256(pydicom.dcmread(one.path).PixelData).hexdigest() for one in instances}
    assert len(orthanc.instances_of(series)) == len(instances) == len(digests)
