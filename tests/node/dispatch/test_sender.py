from __future__ import annotations

import socket

import pytest

from node.dispatch.errors import DestinationRefuses, DestinationUnavailable
from node.dispatch.outgoing import Answer, Outgoing
from node.dispatch.sender import sender_for
from tests.node.dispatch.sending import peer_of, send
from tests.servers import OrthancServer, free_port

pytestmark = pytest.mark.orthanc
WAYS = ["c-store", "stow-rs", "orthanc-rest"]


@pytest.mark.parametrize(
    ("way", "key"), [("stow-rs", "dicomweb"), ("orthanc-rest", "orthanc_rest")]
)
def test_missing_address_is_named(orthanc: OrthancServer, way: str, key: str) -> None:
    peer = peer_of(orthanc, way, dicomweb=None, orthanc_rest=None)
    with pytest.raises(DestinationRefuses, match=f"its '{key}' address; add it to"):
        sender_for(peer)


@pytest.mark.parametrize("way", WAYS[1:])
def test_environment_does_not_redirect(
    orthanc: OrthancServer,
    instances: list[Outgoing],
    way: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    peer, answers = peer_of(orthanc, way), list[Answer]()
    sender_for(peer)(instances[:2], peer, "VSCANNER", 20, answers.append)
    assert all(a.kept for a in answers)


@pytest.mark.parametrize("way", WAYS)
def test_nobody_there(orthanc: OrthancServer, instances: list[Outgoing], way: str) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    peer = peer_of(orthanc, way, port=port, dicomweb=url, orthanc_rest=url)
    with pytest.raises(DestinationUnavailable):
        sender_for(peer)(instances, peer, "VSCANNER", 5, lambda _answer: None)


@pytest.mark.parametrize("way", WAYS)
def test_one_that_never_answers(
    orthanc: OrthancServer, instances: list[Outgoing], way: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        peer = peer_of(orthanc, way, port=port, dicomweb=url, orthanc_rest=url)
        with pytest.raises(DestinationUnavailable):
            sender_for(peer)(instances[:1], peer, "VSCANNER", 0.1, lambda _answer: None)


@pytest.mark.parametrize(
    ("way", "wanted", "kept"),
    [
        ("stow-rs", DestinationUnavailable, 3),  # Orthanc reads no further, and names no more
        ("orthanc-rest", DestinationRefuses, 5),
    ],
)
def test_what_is_no_dicom_is_not_kept(
    orthanc: OrthancServer, instances: list[Outgoing], way: str, wanted: type[Exception], kept: int
) -> None:
    instances[3].path.write_bytes(b"no DICOM at all")
    answers, error = send(instances, peer_of(orthanc, way))
    assert (type(error), sum(a.kept for a in answers)) == (wanted, kept)
