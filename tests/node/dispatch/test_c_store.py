from __future__ import annotations

import hashlib
import subprocess
from io import BytesIO
from pathlib import Path

import pydicom
import pytest

from node.config import PeerSettings
from node.dispatch import c_store
from node.dispatch.errors import DestinationRefuses, DestinationUnavailable
from node.dispatch.outgoing import Answer, Outgoing, contexts_of, read_outgoing
from tests.node.dispatch.scp import storage_scp
from tests.node.dispatch.sending import send
from tests.servers import OrthancServer, free_port, listening, program, wait_until
from tests.synthetic import write_ct_series


def test_bytes_arrive_as_they_lie_on_disk(instances: list[Outgoing]) -> None:
    with storage_scp() as scp:
        answers, error = send(instances, scp.peer())
    assert error is None
    assert [a.sop_instance_uid for a in answers] == [i.sop_instance_uid for i in instances]
    assert scp.associations == 1
    for one in instances:
        assert scp.stored[one.sop_instance_uid] == one.path.read_bytes()[one.offset :]


@pytest.mark.parametrize("preferred", ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2"])
def test_a_peer_that_takes_implicit_vr_alone_gets_the_same_values(
    instances: list[Outgoing], preferred: str
) -> None:
    """PS3.5 10.1: it is the default, which is offered for every SOP class."""
    with storage_scp(syntaxes=("1.2.840.10008.1.2",)) as scp:
        answers, error = send(instances, scp.peer(transfer_syntaxes=[preferred]))
    assert error is None
    assert all(answer.kept for answer in answers)
    for one in instances:
        sent = pydicom.dcmread(BytesIO(scp.stored[one.sop_instance_uid]), force=True)
        assert sent.preamble is None  # a data set alone goes over the network (PS3.7 9.1.1)
        assert sent.original_encoding == (True, True)
        assert sent.to_json() == pydicom.dcmread(one.path).to_json()


def test_what_the_peer_takes_as_it_lies_is_not_encoded_anew(instances: list[Outgoing]) -> None:
    for syntaxes in (("1.2.840.10008.1.2.1",), ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1")):
        assert instances[0].taken_in(syntaxes) is instances[0]


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


def test_several_associations_share_a_series(instances: list[Outgoing]) -> None:
    with storage_scp() as scp:
        answers, error = send(instances, scp.peer(associations=4))
    assert error is None
    assert scp.associations == 4
    assert sorted(a.sop_instance_uid for a in answers) == sorted(scp.stored)
    for one in instances:
        assert scp.stored[one.sop_instance_uid] == one.path.read_bytes()[one.offset :]


def test_never_more_associations_than_instances(instances: list[Outgoing]) -> None:
    with storage_scp() as scp:
        assert send(instances[:2], scp.peer(associations=8))[1] is None
    assert scp.associations == 2


def test_a_peer_with_fewer_associations_gets_everything(instances: list[Outgoing]) -> None:
    with storage_scp(associations=1) as scp:
        answers, error = send(instances, scp.peer(associations=4))
    assert error is None
    assert scp.associations == 1
    assert sorted(a.sop_instance_uid for a in answers) == sorted(scp.stored)
    assert len(scp.stored) == 6


def test_an_association_that_fails_stops_the_others(instances: list[Outgoing]) -> None:
    with storage_scp(lambda count, _event: 0xA700 if count == 2 else 0) as scp:
        answers, error = send(instances * 20, scp.peer(associations=2))
    assert isinstance(error, DestinationUnavailable)
    assert sum(a.again for a in answers) == 1
    assert scp.requests < 20
    with storage_scp(lambda count, _event: 0xC000 if count in (1, 2) else 0) as scp:
        answers, error = send(instances, scp.peer(associations=3))
    assert isinstance(error, DestinationRefuses)
    assert "refused 2 of 6 instances for good" in str(error)
    assert sum(a.kept for a in answers) == 4


@pytest.mark.orthanc
@pytest.mark.parametrize("associations", [1, 3])
def test_orthanc_stores_every_byte(
    instances: list[Outgoing], orthanc: OrthancServer, associations: int
) -> None:
    peer = PeerSettings(
        name="pacs",
        ae_title=orthanc.ae_title,
        host="127.0.0.1",
        port=orthanc.dicom_port,
        associations=associations,
    )
    answers, error = send(instances, peer)
    assert error is None
    assert all(a.kept and a.code == 0 for a in answers)
    series = str(pydicom.dcmread(instances[0].path).SeriesInstanceUID)
    assert series in orthanc.series_uids()
    digests = {hashlib.sha256(pydicom.dcmread(one.path).PixelData).hexdigest() for one in instances}
    assert len(orthanc.instances_of(series)) == len(instances) == len(digests)


@pytest.mark.dcmtk
def test_dcmtk_reads_what_it_takes_in_implicit_vr_alone(
    instances: list[Outgoing], tmp_path: Path
) -> None:
    port, kept = free_port(), tmp_path / "kept"
    kept.mkdir()
    command = [program("storescp"), "--implicit", "--output-directory", str(kept), str(port)]
    with subprocess.Popen(command) as storescp:
        try:
            wait_until(lambda: listening(port), 30, "storescp to listen")
            peer = PeerSettings(name="pacs", ae_title="ANY", host="127.0.0.1", port=port)
            answers, error = send(instances, peer)
        finally:
            storescp.terminate()
    assert error is None
    assert all(a.kept for a in answers)
    stored = [pydicom.dcmread(path) for path in kept.iterdir()]
    assert {ds.file_meta.TransferSyntaxUID for ds in stored} == {"1.2.840.10008.1.2"}
    digests = {hashlib.sha256(ds.PixelData).hexdigest() for ds in stored}
    sent = {hashlib.sha256(pydicom.dcmread(one.path).PixelData).hexdigest() for one in instances}
    assert digests == sent
