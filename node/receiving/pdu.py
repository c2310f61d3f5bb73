"""PDUs on a socket (PS3.8 9.3): reading them whole and quickly, writing the small ones.

Reads are as large as the buffer allows, since a P-DATA-TF comes in many segments. The buffer is
made once for an association, so memory does not depend on what is sent.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from typing import NamedTuple

# PS3.8 table 9-11 and following: the first byte of each PDU
ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ, P_DATA = 0x01, 0x02, 0x03, 0x04
RELEASE_RQ, RELEASE_RP, ABORT = 0x05, 0x06, 0x07
KNOWN_TYPES = frozenset(range(ASSOCIATE_RQ, ABORT + 1))

# PS3.8 9.3.8: reason of an A-ABORT by the service provider
NOT_SPECIFIED, UNRECOGNIZED_PDU, UNEXPECTED_PDU = 0, 1, 2
UNEXPECTED_PARAMETER, INVALID_PARAMETER = 5, 6
BY_PROVIDER = 2

HEADER_BYTES = 6
MAX_CONTROL_BYTES = 1 << 18  # of a PDU that is not P-DATA-TF; the largest, -RQ, stays far below
_HEADER = struct.Struct(">BxL")
_PDV = struct.Struct(">LBB")

RELEASE_RESPONSE = struct.pack(">BxLL", RELEASE_RP, 4, 0)


class ProtocolError(Exception):
    """The peer broke the protocol; the association is aborted.

    Args:
        sentence: what was wrong, for the log.
        reason: for the A-ABORT (PS3.8 9.3.8).
    """

    def __init__(self, sentence: str, reason: int = NOT_SPECIFIED) -> None:
        super().__init__(sentence)
        self.reason = reason


class ConnectionLost(Exception):  # noqa: N818 - says what happened
    """The connection ended without A-RELEASE or A-ABORT, or was silent for too long."""


class PresentationDataValue(NamedTuple):
    """One fragment of a command or data set (PS3.8 9.3.5.1 and annex E.2)."""

    context_id: int
    is_command: bool
    is_last: bool
    fragment: memoryview


class PDUReader:
    """Reads PDUs from a connected socket.

    Args:
        connection: its time-out is the longest silence.
        max_pdu_bytes: largest P-DATA-TF that we announced.
        timeout_s: longest time from the first to the last byte of one PDU.
    """

    def __init__(self, connection: socket.socket, max_pdu_bytes: int, timeout_s: float) -> None:
        self._connection = connection
        self._max_pdu_bytes = max_pdu_bytes
        self._timeout_s = timeout_s
        self._buffer = memoryview(bytearray(2 * max(max_pdu_bytes, MAX_CONTROL_BYTES)))
        self._start = self._end = 0

    def read(self) -> tuple[int, memoryview]:
        """The type and body of the next PDU; the body is valid until the next call.

        Raises:
            ProtocolError: it is of no known type, or too long.
            ConnectionLost: the connection ended, or time ran out.
        """
        self._fill(HEADER_BYTES)
        kind, length = _HEADER.unpack_from(self._buffer, self._start)
        if kind not in KNOWN_TYPES:
            raise ProtocolError(f"wanted a PDU, got type {kind:02X}H", UNRECOGNIZED_PDU)
        limit = self._max_pdu_bytes if kind == P_DATA else MAX_CONTROL_BYTES - HEADER_BYTES
        if length > limit:  # PS3.8 annex D.1
            raise ProtocolError(
                f"wanted a PDU of at most {limit} bytes, got {length}", INVALID_PARAMETER
            )
        self._fill(HEADER_BYTES + length)
        first = self._start + HEADER_BYTES
        self._start = first + length
        return kind, self._buffer[first : self._start]

    def _fill(self, wanted: int) -> None:
        """Have `wanted` bytes from the start of the PDU in the buffer."""
        if self._start == self._end:
            self._start = self._end = 0
        elif self._start + wanted > len(self._buffer):
            rest = self._end - self._start
            self._buffer[:rest] = bytes(self._buffer[self._start : self._end])
            self._start, self._end = 0, rest
        deadline = 0.0
        while self._end - self._start < wanted:
            self._receive()
            now = time.monotonic()
            deadline = deadline or now + self._timeout_s
            if now > deadline:
                raise ConnectionLost(f"a PDU took longer than {self._timeout_s} s")

    def _receive(self) -> None:
        try:
            # A peer with Nagle's algorithm on would else wait 40 ms for our delayed ACK.
            self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            count = self._connection.recv_into(self._buffer[self._end :])
        except TimeoutError as error:
            raise ConnectionLost(f"silent for {self._timeout_s} s") from error
        except OSError as error:
            raise ConnectionLost(error.strerror or "connection lost") from error
        if not count:
            raise ConnectionLost("closed by the peer")
        self._end += count


def presentation_data_values(body: memoryview) -> Iterator[PresentationDataValue]:
    """The fragments within a P-DATA-TF (PS3.8 9.3.5).

    Raises:
        ProtocolError: a length does not fit.
    """
    position = 0
    while position < len(body):
        if position + _PDV.size > len(body):
            raise ProtocolError("a presentation data value is cut short", INVALID_PARAMETER)
        length, context_id, control = _PDV.unpack_from(body, position)
        end = position + 4 + length
        if length < 2 or end > len(body):
            raise ProtocolError(
                f"a presentation data value of {length} bytes does not fit its PDU",
                INVALID_PARAMETER,
            )
        fragment = body[position + _PDV.size : end]
        yield PresentationDataValue(context_id, bool(control & 1), bool(control & 2), fragment)
        position = end


def p_data(context_id: int, command: bytes, max_length: int) -> bytes:
    """P-DATA-TF PDUs with a command set, cut to what the peer takes (0: no limit)."""
    step = max(max_length - _PDV.size, 1) if max_length else len(command)
    pdus = []
    for start in range(0, len(command), step):
        piece = command[start : start + step]
        control = 0b01 | (0b10 if start + step >= len(command) else 0)
        pdv = _PDV.pack(len(piece) + 2, context_id, control) + piece
        pdus.append(_HEADER.pack(P_DATA, len(pdv)) + pdv)
    return b"".join(pdus)


def abort(reason: int) -> bytes:
    """An A-ABORT PDU from the service provider (PS3.8 9.3.8)."""
    return struct.pack(">BxLxxBB", ABORT, 4, BY_PROVIDER, reason)
