"""A receiver on loopback within the test's process, and peers that speak to it byte by byte."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom import AE, build_context
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext

from node.config import Config
from node.receiver import Receiver
from node.service import open_listener
from tests.servers import LOOPBACK, free_port

CALLER = "MODALITY"


def make_config(data_dir: Path, **node: Any) -> Config:
    """One peer, CALLER, may call."""
    return Config.model_validate(
        {
            "node": {
                "host": LOOPBACK,
                "port": free_port(),
                "data_dir": str(data_dir),
                "min_free_bytes": 0,
                **node,
            },
            "peers": [
                {"name": "modality", "ae_title": CALLER, "host": LOOPBACK, "port": 104},
                {
                    "name": "archive",
                    "ae_title": "ARCHIVE",
                    "host": LOOPBACK,
                    "port": 104,
                    "may_call": False,
                },
            ],
        }
    )


@contextlib.contextmanager
def running_receiver(config: Config) -> Iterator[Receiver]:
    """A receiver that runs while the block does."""
    listener = open_listener(config)
    receiver = Receiver(config, listener)
    thread = threading.Thread(target=receiver.run)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.stop()
        thread.join()
        # `accept` blocks in its thread: one last connection lets it see that we stopped.
        with contextlib.suppress(OSError):
            socket.create_connection((LOOPBACK, config.node.port), timeout=5).close()
        listener.close()
        receiver.database().dispose()


def associate(
    config: Config,
    *,
    contexts: Sequence[PresentationContext] = (),
    calling: str = CALLER,
    called: str | None = None,
    max_pdu: int = 16382,
    **options: Any,
) -> Association:
    """Ask for an association by pynetdicom; for CT in explicit little endian unless said."""
    ae = AE(ae_title=calling)
    wanted = list(contexts) or [build_context(CTImageStorage, ExplicitVRLittleEndian)]
    return ae.associate(
        LOOPBACK,
        config.node.port,
        contexts=wanted,
        ae_title=called or config.node.ae_title,
        max_pdu=max_pdu,
        **options,
    )


class RawPeer:
    """A peer that sends what it likes, on a context 1 for CT in explicit little endian."""

    def __init__(self, config: Config) -> None:
        self.socket = socket.create_connection((LOOPBACK, config.node.port), timeout=30)
        self.config = config

    def __enter__(self) -> RawPeer:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def receive(self) -> tuple[int, bytes] | None:
        """Type and body of the next PDU, or None at the end of the connection."""
        header = self._exactly(6)
        if header is None:
            return None
        kind, length = struct.unpack(">BxL", header)
        return kind, self._exactly(length) or b""

    def associate(self, **changes: Any) -> None:
        self.send(associate_request(**changes))
        answer = self.receive()
        assert answer is not None
        assert answer[0] == 2

    def _exactly(self, count: int) -> bytes | None:
        data = b""
        while len(data) < count:
            try:
                piece = self.socket.recv(count - len(data))
            except ConnectionResetError:
                return None
            if not piece:
                return None
            data += piece
        return data


def item(kind: int, body: bytes) -> bytes:
    """An item of variable length within an A-ASSOCIATE PDU (PS3.8 9.3.2)."""
    return struct.pack(">BxH", kind, len(body)) + body


def associate_request(
    *,
    calling: str = CALLER,
    called: str = "VSCANNER",
    application: bytes = b"1.2.840.10008.3.1.1.1",
    version: int = 1,
    abstract: str = CTImageStorage,
    transfer: str = ExplicitVRLittleEndian,
) -> bytes:
    """An A-ASSOCIATE-RQ PDU written by hand."""
    context = bytes((1, 0, 0, 0)) + item(0x30, abstract.encode())
    context += item(0x40, transfer.encode())
    user = item(0x51, struct.pack(">L", 16384)) + item(0x52, b"1.2.3")
    body = struct.pack(
        ">HH16s16s32x", version, 0, called.ljust(16).encode(), calling.ljust(16).encode()
    )
    body += item(0x10, application) + item(0x20, context) + item(0x50, user)
    return struct.pack(">BxL", 1, len(body)) + body


def store_command(ds: Dataset, message_id: int = 7, **changes: bytes) -> bytes:
    """The command set of a C-STORE request, implicit little endian."""
    elements = {
        "0002": ds.SOPClassUID.encode(),
        "0100": struct.pack("<H", 1),
        "0110": struct.pack("<H", message_id),
        "0700": struct.pack("<H", 0),
        "0800": struct.pack("<H", 0),
        "1000": ds.SOPInstanceUID.encode(),
        **changes,
    }
    body = b""
    for tag, value in sorted(elements.items()):
        value += b"\0" * (len(value) % 2)
        body += struct.pack("<HHL", 0, int(tag, 16), len(value)) + value
    return struct.pack("<HHLL", 0, 0, 4, len(body)) + body


def pdv(data: bytes, *, command: bool, last: bool, context: int = 1) -> bytes:
    """One presentation data value."""
    return struct.pack(">LBB", len(data) + 2, context, command | last << 1) + data


def p_data(*values: bytes) -> bytes:
    """A P-DATA-TF PDU of presentation data values."""
    body = b"".join(values)
    return struct.pack(">BxL", 4, len(body)) + body


def status_of(response: tuple[int, bytes] | None) -> int:
    """Status (0000,0900) in a P-DATA-TF with a response command set."""
    assert response is not None
    kind, body = response
    assert kind == 4, f"wanted P-DATA-TF, got {kind}"
    command, position = body[6:], 0
    while position < len(command):
        _, number, length = struct.unpack_from("<HHL", command, position)
        if number == 0x0900:
            return int.from_bytes(command[position + 8 : position + 10], "little")
        position += 8 + length
    raise AssertionError("no status in the response")
