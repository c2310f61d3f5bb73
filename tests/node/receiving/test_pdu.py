from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.receiving import pdu
from node.receiving.pdu import (
    ConnectionLost,
    PDUReader,
    ProtocolError,
    presentation_data_values,
)

LIMIT = 4096


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.create_connection(server.getsockname())
        theirs, _ = server.accept()
    ours.settimeout(5)
    with ours, theirs:
        yield ours, theirs


def encoded(kind: int, body: bytes) -> bytes:
    return struct.pack(">BxL", kind, len(body)) + body


pdus = st.lists(st.tuples(st.sampled_from([1, 4, 5, 7]), st.binary(max_size=LIMIT)), max_size=12)


@given(wanted=pdus, cuts=st.lists(st.integers(1, 3000), max_size=40))
@settings(deadline=None)
def test_pdus_come_out_as_they_went_in_however_they_are_cut(
    wanted: list[tuple[int, bytes]], cuts: list[int]
) -> None:
    stream = b"".join(encoded(*one) for one in wanted)
    ours, theirs = tcp_pair()
    with ours, theirs:
        ours.settimeout(5)

        def send() -> None:
            rest = stream
            for cut in cuts:
                theirs.sendall(rest[:cut])
                rest = rest[cut:]
            theirs.sendall(rest)
            theirs.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        reader = PDUReader(ours, LIMIT, 5)
        found: list[tuple[int, bytes]] = []
        while len(found) < len(wanted):
            kind, body = reader.read()
            found.append((kind, bytes(body)))
        with pytest.raises(ConnectionLost, match="closed"):
            reader.read()
        sender.join()
    assert found == wanted


def test_more_pdus_in_one_go_than_the_buffer_holds(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    """What has begun at the end of the buffer goes on at its beginning."""
    ours, theirs = pair
    sizes = [LIMIT - number % 1999 for number in range(400)]  # three times as much
    wanted = [(pdu.P_DATA, bytes([number % 251]) * size) for number, size in enumerate(sizes)]
    stream = b"".join(encoded(*one) for one in wanted)
    sender = threading.Thread(target=theirs.sendall, args=(stream,))
    sender.start()
    reader = PDUReader(ours, LIMIT, 30)
    for one in wanted:
        kind, body = reader.read()
        assert (kind, bytes(body)) == one
    sender.join()


@given(noise=st.binary(max_size=300))
@settings(deadline=None)
def test_noise_is_read_or_refused(noise: bytes) -> None:
    ours, theirs = tcp_pair()
    with ours, theirs:
        ours.settimeout(5)
        theirs.sendall(noise)
        theirs.shutdown(socket.SHUT_WR)
        with pytest.raises((ConnectionLost, ProtocolError)):
            read_to_the_end(PDUReader(ours, LIMIT, 5))


def read_to_the_end(reader: PDUReader) -> None:
    while True:
        kind, body = reader.read()
        if kind == pdu.P_DATA:
            list(presentation_data_values(body))


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.create_connection(server.getsockname())
        theirs, _ = server.accept()
    return ours, theirs


@pytest.mark.parametrize(("kind", "length"), [(4, LIMIT + 1), (1, 1 << 30), (7, 0xFFFFFFFF)])
def test_a_pdu_that_is_too_long_is_refused(
    pair: tuple[socket.socket, socket.socket], kind: int, length: int
) -> None:
    ours, theirs = pair
    theirs.sendall(struct.pack(">BxL", kind, length))
    with pytest.raises(ProtocolError) as caught:
        PDUReader(ours, LIMIT, 5).read()
    assert caught.value.reason == pdu.INVALID_PARAMETER


def test_silence_ends_the_connection(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, _ = pair
    ours.settimeout(0.05)
    with pytest.raises(ConnectionLost, match="silent"):
        PDUReader(ours, LIMIT, 0.05).read()


def test_a_pdu_that_drips_ends_the_connection(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    done = threading.Event()

    def drip() -> None:
        for byte in encoded(4, bytes(500)):
            if done.wait(0.01):
                return
            theirs.sendall(bytes([byte]))

    sender = threading.Thread(target=drip)
    sender.start()
    started = time.monotonic()
    with pytest.raises(ConnectionLost, match="longer than"):
        PDUReader(ours, LIMIT, 0.2).read()
    assert time.monotonic() - started < 3
    done.set()
    sender.join()


@given(
    st.lists(st.tuples(st.integers(0, 255), st.integers(0, 3), st.binary(max_size=50)), max_size=6)
)
def test_fragments_come_out_as_they_went_in(values: list[tuple[int, int, bytes]]) -> None:
    body = b"".join(struct.pack(">LBB", len(d) + 2, c, f) + d for c, f, d in values)
    found = [
        (value.context_id, value.is_command | value.is_last << 1, bytes(value.fragment))
        for value in presentation_data_values(memoryview(body))
    ]
    assert found == values


@pytest.mark.parametrize(
    "body", [b"\0\0\0\1\1", b"\0\0\0\0\1\3", b"\0\0\0\1\1\3", b"\0\0\1\0\1\3x"]
)
def test_a_fragment_with_a_wrong_length_is_refused(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        list(presentation_data_values(memoryview(body)))


@given(command=st.binary(min_size=1, max_size=300), limit=st.sampled_from([0, 7, 20, 100, 4096]))
def test_a_command_is_cut_to_what_the_peer_takes(command: bytes, limit: int) -> None:
    stream, pieces, last = pdu.p_data(3, command, limit), [], []
    while stream:
        kind, length = struct.unpack_from(">BxL", stream)
        assert kind == pdu.P_DATA
        assert not limit or length <= limit
        for value in presentation_data_values(memoryview(stream)[6 : 6 + length]):
            assert (value.context_id, value.is_command) == (3, True)
            pieces.append(bytes(value.fragment))
            last.append(value.is_last)
        stream = stream[6 + length :]
    assert b"".join(pieces) == command
    assert last == [False] * (len(last) - 1) + [True]
