from __future__ import annotations

import contextlib
import gzip
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.config import PeerSettings
from node.dispatch.errors import DestinationUnavailable
from node.dispatch.http import LARGEST_ANSWER_BYTES, answering, session_for
from tests.servers import free_port

PEER = {"name": "pacs", "ae_title": "PACS", "host": "127.0.0.1", "port": 104}


def test_a_password_goes_with_its_name_alone() -> None:
    named = PeerSettings.model_validate(PEER | {"username": "node", "password": "secret"})
    assert session_for(named).auth == ("node", "secret")
    for half in ({"username": "node"}, {"password": "secret"}, {}):
        assert session_for(PeerSettings.model_validate(PEER | half)).auth is None


def test_no_netrc_and_no_proxy_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "others.pem"))
    session = session_for(PeerSettings.model_validate(PEER))
    merged = session.merge_environment_settings("https://pacs/", {}, None, None, None)
    assert merged["verify"] is True


def test_the_hospitals_certificates_are_shown_and_asked_for(tmp_path: Path) -> None:
    files = {name: tmp_path / f"{name}.pem" for name in ("ca", "certificate", "key")}
    for path in files.values():
        path.touch()
    session = session_for(PeerSettings.model_validate(PEER | {"tls": files}))
    assert session.verify == str(files["ca"])
    assert session.cert == (str(files["certificate"]), str(files["key"]))


def test_a_destination_that_does_not_answer_is_away() -> None:
    with (
        pytest.raises(DestinationUnavailable, match=r"pacs does not answer .*\(ConnectionError\)"),
        answering(PeerSettings.model_validate(PEER)) as session,
    ):
        session.get(f"http://127.0.0.1:{free_port()}/", timeout=5)


@contextlib.contextmanager
def odd_server(head: bytes, *pieces: bytes, pause_s: float = 0) -> Iterator[str]:
    """A server that answers one request with a head and pieces of a body; gives its address."""

    def talk() -> None:
        connection, _ = server.accept()
        with connection, contextlib.suppress(OSError):
            connection.recv(1 << 16)
            connection.sendall(b"HTTP/1.1 " + head + b"\r\n\r\n")
            for piece in pieces:
                connection.sendall(piece)
                over.wait(pause_s)

    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=talk)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        over.set()
        thread.join()


def test_nobody_is_followed_elsewhere() -> None:
    """Neither images nor a password go where the configuration does not say."""
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        elsewhere.settimeout(0)
        there = f"Location: http://127.0.0.1:{elsewhere.getsockname()[1]}/".encode()
        moved = b"307 Temporary Redirect\r\nContent-Length: 0\r\n" + there
        with odd_server(moved) as url, session_for(PeerSettings.model_validate(PEER)) as session:
            assert session.post(url, data=b"an image", timeout=5).status_code == 307
        with pytest.raises(BlockingIOError):
            elsewhere.accept()


BOMB = gzip.compress(bytes(LARGEST_ANSWER_BYTES + 1), 1)
ENDLESS = [b"100\r\n" + b" " * 256 + b"\r\n"] * 600
CHUNKED = b"200 OK\r\nTransfer-Encoding: chunked"


@pytest.mark.parametrize(
    ("head", "pieces", "pause_s"),
    [
        (b"200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d" % len(BOMB), [BOMB], 0),
        (CHUNKED, ENDLESS, 0.05),
        (b"200 OK\r\nContent-Length: 600", [b" "] * 600, 0.05),
        (b"200 OK\r\nContent-Length: 600", [b" "], 0),
        (b"200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9", [b"no packet"], 0),
    ],
    ids=["bomb", "endless", "drips", "short", "packed"],
)
def test_an_answer_has_an_end(head: bytes, pieces: list[bytes], pause_s: float) -> None:
    peer, started = PeerSettings.model_validate(PEER), time.monotonic()
    with odd_server(head, *pieces, pause_s=pause_s) as url:
        with pytest.raises(DestinationUnavailable), answering(peer) as session:
            session.get(url, timeout=2)
        assert time.monotonic() - started < 10


def test_an_answer_is_unpacked() -> None:
    packed = gzip.compress(b"[1, 2]")
    head = b"200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d" % len(packed)
    with odd_server(head, packed) as url, session_for(PeerSettings.model_validate(PEER)) as session:
        assert session.get(url, timeout=5).json() == [1, 2]
