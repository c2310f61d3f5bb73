from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit
from pynetdicom import evt

from dicom_profiles.equipment import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from node.config import PeerSettings
from node.dispatch.association import MAX_PDU_BYTES, Address, StorageAssociation
from node.dispatch.errors import DestinationRefuses, DestinationUnavailable
from node.dispatch.outgoing import Outgoing, read_outgoing
from tests.node.dispatch.scp import storage_scp
from tests.node.dispatch.sending import send
from tests.node.receiving.running import item, p_data, pdv
from tests.servers import free_port
from tests.synthetic import write_ct_series

PDU_HEADER_BYTES = 6  # type, reserved, length (PS3.8 9.3.1): not counted in the limit


def test_large_instances_need_many_pdus(tmp_path: Path) -> None:
    paths = write_ct_series(tmp_path, slices=2, rows=512, columns=512)
    some = [read_outgoing(path) for path in paths]
    with storage_scp() as scp:
        assert send(some, scp.peer())[1] is None
    for one in some:
        assert scp.stored[one.sop_instance_uid] == one.path.read_bytes()[one.offset :]


@pytest.mark.parametrize("limit", [4096, 0])
def test_no_pdu_is_longer_than_the_peer_takes(tmp_path: Path, limit: int) -> None:
    (path,) = write_ct_series(tmp_path, slices=1, rows=512, columns=512)
    with storage_scp(max_pdu_bytes=limit) as scp:
        assert send([read_outgoing(path)], scp.peer())[1] is None
    assert max(scp.pdu_bytes) == (limit or MAX_PDU_BYTES) + PDU_HEADER_BYTES


def test_it_says_which_implementation_calls(instances: list[Outgoing]) -> None:
    with storage_scp() as scp:
        assert send(instances, scp.peer())[1] is None
    assert scp.implementations == {(IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME)}


def test_abort_half_way(instances: list[Outgoing]) -> None:
    with storage_scp(lambda count, _event: None if count == 3 else 0) as scp:
        answers, error = send(instances, scp.peer())
    assert isinstance(error, DestinationUnavailable)
    assert len(answers) == 3


def test_slow_peer_is_given_up(instances: list[Outgoing]) -> None:
    given_up = threading.Event()

    def slow(count: int, _event: evt.Event) -> int:
        if count == 1:
            given_up.wait(60)
        return 0

    with storage_scp(slow) as scp:
        answers, error = send(instances, scp.peer(), timeout_s=2)  # the first may take a while too
        given_up.set()
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
    there = f"127.0.0.1:{peer.port} (Connection refused)"
    assert str(error) == f"pacs cannot be reached at {there}; is it running?"


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


def accepting(
    contexts: Sequence[tuple[int, str]] = ((1, ExplicitVRLittleEndian),), max_length: int = 131072
) -> bytes:
    """An A-ASSOCIATE-AC PDU written by hand (PS3.8 9.3.3)."""
    body = struct.pack(">HH32s32x", 1, 0, b"") + item(0x10, b"1.2.840.10008.3.1.1.1")
    for number, syntax in contexts:
        body += item(0x21, bytes((number, 0, 0, 0)) + item(0x40, syntax.encode()))
    body += item(0x50, item(0x51, struct.pack(">L", max_length)) + item(0x52, b"1.2.3"))
    return struct.pack(">BxL", 2, len(body)) + body


def command(piece: bytes, *, last: bool) -> bytes:
    return p_data(pdv(piece, command=True, last=last))


def stored(message_id: int, field: int = 0x8001, status: int = 0x0900) -> bytes:
    """The response of success to a C-STORE request, or one that is none."""
    values = ((0x0100, field), (0x0120, message_id), (0x0800, 0x0101), (status, 0))
    elements = (struct.pack("<HHLH", 0, number, 2, value) for number, value in values)
    return command(b"".join(elements), last=True)


@contextlib.contextmanager
def odd_peer(*answers: bytes, piece: int = 1 << 30) -> Iterator[Address]:
    """A peer that gives these answers, one to each of our messages, and closes.

    Args:
        answers: as bytes.
        piece: how many bytes of an answer go at a time, ten times a second.
    """

    def talk() -> None:
        connection, _ = server.accept()
        with connection, contextlib.suppress(OSError):
            for answer in answers:
                connection.recv(1 << 20)
                for start in range(0, len(answer), piece):
                    connection.sendall(answer[start : start + piece])
                    over.wait(0.1 if piece < len(answer) else 0)
            connection.recv(1 << 20)

    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=talk)
        thread.start()
        yield Address("pacs", "127.0.0.1", server.getsockname()[1], "X")
        over.set()
        thread.join()


def store(one: Outgoing, address: Address, timeout_s: float = 5) -> int | None:
    """The status of one instance; None where its context is not accepted."""
    with StorageAssociation(address, "VSCANNER", [one.context], timeout_s) as association:
        return association.store(one) if association.accepts(one) else None


def test_how_a_peer_hangs_up_changes_nothing(instances: list[Outgoing]) -> None:
    """It says nothing to our A-RELEASE-RQ, and closes."""
    with odd_peer(accepting(), stored(1)) as address:
        assert store(instances[0], address) == 0


@pytest.mark.parametrize(
    "answer",
    [
        struct.pack(">BxL", 2, 0),
        struct.pack(">BxLL", 3, 4, 0xFFFFFFFF),
        accepting([(1, ExplicitVRLittleEndian), (77, ExplicitVRLittleEndian)]),
        accepting(max_length=6),
    ],
    ids=["empty", "rejection", "context", "length"],
)
def test_an_answer_that_nobody_can_read_may_be_another_one_later(
    instances: list[Outgoing], answer: bytes
) -> None:
    with odd_peer(answer) as address, pytest.raises(DestinationUnavailable):
        store(instances[0], address)


@pytest.mark.parametrize(
    "answer",
    [stored(2), stored(1, field=0x8030), stored(1, status=0x0901)],
    ids=["another message", "an echo", "no status"],
)
def test_only_the_answer_to_what_was_sent_counts(instances: list[Outgoing], answer: bytes) -> None:
    with odd_peer(accepting(), answer) as address, pytest.raises(DestinationUnavailable):
        store(instances[0], address)


def test_nothing_goes_in_a_transfer_syntax_that_we_did_not_offer(
    instances: list[Outgoing],
) -> None:
    with odd_peer(accepting([(1, JPEGBaseline8Bit)])) as address:
        assert store(instances[0], address) is None


@pytest.mark.parametrize(
    ("answers", "piece"),
    [
        ([accepting()], 1),
        ([accepting(), stored(1)], 1),
        ([accepting(), command(b"", last=False) * 100], 12),
        ([accepting(), command(bytes(1 << 14), last=False) * 5], 1 << 30),
    ],
    ids=["drips", "drips later", "empty", "endless"],
)
def test_an_answer_has_to_be_whole_in_time(
    instances: list[Outgoing], answers: list[bytes], piece: int
) -> None:
    with odd_peer(*answers, piece=piece) as address:
        started = time.monotonic()
        with pytest.raises(DestinationUnavailable):
            store(instances[0], address, timeout_s=1)
        assert time.monotonic() - started < 5
