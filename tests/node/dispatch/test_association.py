from __future__ import annotations

import socket
import threading
from pathlib import Path

from pynetdicom import evt

from dicom_profiles.equipment import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from node.config import PeerSettings
from node.dispatch.errors import DestinationRefuses, DestinationUnavailable
from node.dispatch.outgoing import Outgoing, read_outgoing
from tests.node.dispatch.scp import storage_scp
from tests.node.dispatch.sending import send
from tests.servers import free_port
from tests.synthetic import write_ct_series


def test_large_instances_need_many_pdus(tmp_path: Path) -> None:
    paths = write_ct_series(tmp_path, slices=2, rows=512, columns=512)
    some = [read_outgoing(path) for path in paths]
    with storage_scp() as scp:
        assert send(some, scp.peer())[1] is None
    for one in some:
        assert scp.stored[one.sop_instance_uid] == one.path.read_bytes()[one.offset :]


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
