"""A storage association of ours: encoded data sets go from the file straight to the socket.

PDUs are PS3.8 9.3's, negotiated with pynetdicom's own encoders. The transfer itself is a plain
blocking loop, since a general DIMSE state machine costs several milliseconds an instance. An
association that has failed or timed out is aborted and never used again.
"""

from __future__ import annotations

import socket
import ssl
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType

from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RJ, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import A_ASSOCIATE
from pynetdicom.presentation import build_context

from node.dispatch.errors import DestinationRefuses, DestinationUnavailable
from node.dispatch.outgoing import Outgoing
from node.receiving.negotiation import UNREADABLE
from node.user_information import our_information

MAX_PDU_BYTES = 131_072
LARGEST_PDU_READ = 16 * MAX_PDU_BYTES
SMALLEST_PDU_SENT = 1024  # for less, an instance would become millions of PDUs
LARGEST_COMMAND = 1 << 16
APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"  # PS3.7 annex A.2.1
MAX_CONTEXTS = 128  # odd numbers of one byte, PS3.8 9.3.2.2

# PDU types, PS3.8 9.3.1
ASSOCIATE_AC, ASSOCIATE_RJ, DATA_TF, RELEASE_RQ, RELEASE_RP, ABORT = 2, 3, 4, 5, 6, 7
# Message control header, PS3.8 E.2
IS_COMMAND, IS_LAST = 0x01, 0x02
C_STORE_RQ, C_STORE_RSP = 0x0001, 0x8001  # PS3.7 E.1
COMMAND_FIELD, MESSAGE_ID_RESPONDED_TO, STATUS = 0x0100, 0x0120, 0x0900  # PS3.7 E.1
MEDIUM_PRIORITY, HAS_DATA_SET = 0, 1  # PS3.7 E.1: any value but 0101H


@dataclass(frozen=True)
class Address:
    """Where a peer listens and what it calls itself; the name is ours for it."""

    name: str
    host: str
    port: int
    ae_title: str
    tls: ssl.SSLContext | None = None


class StorageAssociation:
    """An association for C-STORE, open within a `with` block.

    Args:
        address: of the peer.
        ae_title: what we call ourselves.
        contexts: (SOP class, transfer syntax) pairs to propose.
        timeout_s: how long the peer may take for any one answer.

    Raises:
        DestinationUnavailable: nobody answers, or it is closed for now.
        DestinationRefuses: the peer rejects us for good.
    """

    def __init__(
        self,
        address: Address,
        ae_title: str,
        contexts: Sequence[tuple[str, str]],
        timeout_s: float,
    ) -> None:
        if len(contexts) > MAX_CONTEXTS:
            raise DestinationRefuses(
                f"At most {MAX_CONTEXTS} presentation contexts fit one association, "
                f"got {len(contexts)}; send fewer kinds of objects at once."
            )
        self._name = address.name
        self._ids: dict[tuple[str, str], int] = {}
        self._max_pdu_bytes = 0
        self._message_id = 0
        self._buffer = b""
        self._timeout_s = timeout_s
        self._socket = _connect(address, timeout_s)
        try:
            self._negotiate(address, ae_title, contexts)
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> StorageAssociation:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Release, or abort after an error: such an association is not used again."""
        try:
            if kind is None:
                self._release()
            else:
                self._socket.sendall(struct.pack(">BBI4B", ABORT, 0, 4, 0, 0, 0, 0))
        except (OSError, EOFError):
            pass  # every instance has its answer; how the peer hangs up changes nothing
        finally:
            self._socket.close()

    def accepts(self, instance: Outgoing) -> bool:
        """Whether the peer has accepted the presentation context of an instance."""
        return instance.context in self._ids

    def store(self, instance: Outgoing) -> int:
        """Send one instance and wait for its status (PS3.7 9.1.1).

        Raises:
            DestinationUnavailable: the peer aborted, closed or did not answer in time.
        """
        self._message_id = self._message_id % 0xFFFF + 1
        context_id = self._ids[instance.context]
        command = _store_command(instance, self._message_id)
        try:
            self._send(context_id, command, IS_COMMAND, rest=instance.data_set())
            return self._answer()
        except (OSError, EOFError) as error:
            raise DestinationUnavailable(
                f"{self._name} did not answer a C-STORE request ({_said(error)})."
            ) from error

    def _negotiate(
        self, address: Address, ae_title: str, contexts: Sequence[tuple[str, str]]
    ) -> None:
        """A-ASSOCIATE, PS3.8 9.3.2 to 9.3.4."""
        try:
            self._socket.sendall(_associate_request(address, ae_title, contexts))
            kind, body = self._read_pdu()
        except (OSError, EOFError) as error:
            raise DestinationUnavailable(
                f"{self._name} did not answer an association request ({_said(error)})."
            ) from error
        try:
            if kind == ASSOCIATE_RJ:
                raise _rejection(self._name, body)
            if kind != ASSOCIATE_AC:
                raise DestinationUnavailable(f"{self._name} aborted the association request.")
            self._accept(body, contexts)
        except UNREADABLE as error:
            raise DestinationUnavailable(
                f"{self._name} answered an association request with what nobody can read."
            ) from error

    def _accept(self, body: bytes, contexts: Sequence[tuple[str, str]]) -> None:
        """Take from the A-ASSOCIATE-AC what the peer accepts: contexts and length of a PDU."""
        accepted = A_ASSOCIATE_AC()
        accepted.decode(body)
        primitive = accepted.to_primitive()
        proposed = {2 * i + 1: context for i, context in enumerate(contexts)}
        for result in primitive.presentation_context_definition_results_list:
            if result.result == 0 and result.context_id is not None:
                context = proposed[result.context_id]
                if result.transfer_syntax == [context[1]]:
                    self._ids[context] = result.context_id
        limit = primitive.maximum_length_received or MAX_PDU_BYTES
        if limit < SMALLEST_PDU_SENT:
            raise DestinationUnavailable(f"{self._name} takes PDUs of {limit} bytes only.")
        self._max_pdu_bytes = min(limit, MAX_PDU_BYTES)

    def _send(self, context_id: int, command: bytes, control: int, rest: bytes) -> None:
        """A command and its data set as P-DATA-TF PDUs, few large writes (PS3.8 9.3.5)."""
        parts: list[bytes | memoryview[int]] = [_pdata(context_id, control | IS_LAST, command)]
        step = self._max_pdu_bytes - 6
        view = memoryview(rest)
        for start in range(0, len(rest), step):
            piece = view[start : start + step]
            last = IS_LAST if start + step >= len(rest) else 0
            parts.append(_pdata_header(context_id, last, len(piece)))
            parts.append(piece)
        self._socket.sendall(b"".join(parts))

    def _answer(self) -> int:
        """The status of the C-STORE response to the last request."""
        command = b""
        give_up = time.monotonic() + self._timeout_s
        while True:
            _acknowledge_at_once(self._socket)
            kind, body = self._read_pdu(give_up)
            if kind != DATA_TF:
                raise EOFError("the peer aborted the association")
            for control, piece in _values(body[6:]):
                command += piece
                if control & IS_LAST:
                    return _status(command, self._message_id)
            if len(command) > LARGEST_COMMAND:
                raise EOFError("its response does not end")

    def _read_pdu(self, give_up: float | None = None) -> tuple[int, bytes]:
        """The next PDU: its type, and all its bytes.

        Args:
            give_up: when it has to be here, by the monotonic clock; after the time-out otherwise.
        """
        give_up = give_up or time.monotonic() + self._timeout_s
        while len(self._buffer) < 6:
            self._fill(give_up)
        kind, length = self._buffer[0], struct.unpack(">I", self._buffer[2:6])[0]
        if length > LARGEST_PDU_READ:
            raise EOFError(f"a PDU of {length} bytes is no answer to a C-STORE request")
        while len(self._buffer) < 6 + length:
            self._fill(give_up)
        body, self._buffer = self._buffer[: 6 + length], self._buffer[6 + length :]
        return kind, body

    def _fill(self, give_up: float) -> None:
        piece = self._socket.recv(65_536)
        if time.monotonic() > give_up:
            raise EOFError(f"no whole answer within {self._timeout_s:g} s")
        if not piece:
            raise EOFError("the peer closed the connection")
        self._buffer += piece

    def _release(self) -> None:
        """A-RELEASE, PS3.8 9.3.6."""
        self._socket.sendall(struct.pack(">BBII", RELEASE_RQ, 0, 4, 0))
        self._read_pdu()


def _connect(address: Address, timeout_s: float) -> socket.socket:
    """A connection without Nagle's delay, under TLS when the peer wants it."""
    try:
        connection = socket.create_connection((address.host, address.port), timeout_s)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if address.tls is not None:
            return address.tls.wrap_socket(connection, server_hostname=address.host)
    except OSError as error:
        raise DestinationUnavailable(
            f"{address.name} cannot be reached at {address.host}:{address.port} "
            f"({_said(error)}); is it running?"
        ) from error
    return connection


def _associate_request(
    address: Address, ae_title: str, contexts: Sequence[tuple[str, str]]
) -> bytes:
    """The A-ASSOCIATE-RQ PDU, PS3.8 9.3.2 and annex D."""
    primitive = A_ASSOCIATE()
    primitive.application_context_name = APPLICATION_CONTEXT
    primitive.calling_ae_title = ae_title
    primitive.called_ae_title = address.ae_title
    proposed = [build_context(sop_class, syntax) for sop_class, syntax in contexts]
    for i, context in enumerate(proposed):
        context.context_id = 2 * i + 1
    primitive.presentation_context_definition_list = proposed
    primitive.user_information = list(our_information(MAX_PDU_BYTES))
    request = A_ASSOCIATE_RQ()
    request.from_primitive(primitive)
    return bytes(request.encode())


def _rejection(name: str, body: bytes) -> DestinationRefuses | DestinationUnavailable:
    """What an A-ASSOCIATE-RJ means: transient rejections are worth another try, PS3.8 9.3.4."""
    rejected = A_ASSOCIATE_RJ()
    rejected.decode(body)
    sentence = (
        f"{name} rejects the association ({rejected.result_str}, {rejected.reason_str}); "
        "it has to know our AE title, address and port."
    )
    if rejected.result == 2:
        return DestinationUnavailable(sentence)
    return DestinationRefuses(sentence)


def _store_command(instance: Outgoing, message_id: int) -> bytes:
    """The C-STORE-RQ command set, implicit VR little endian (PS3.7 9.3.1.1 and 6.3.1)."""
    elements = b"".join(
        _element(number, value)
        for number, value in (
            (0x0002, _uid(instance.sop_class_uid)),  # Affected SOP Class UID
            (0x0100, struct.pack("<H", C_STORE_RQ)),  # Command Field
            (0x0110, struct.pack("<H", message_id)),  # Message ID
            (0x0700, struct.pack("<H", MEDIUM_PRIORITY)),  # Priority
            (0x0800, struct.pack("<H", HAS_DATA_SET)),  # Command Data Set Type
            (0x1000, _uid(instance.sop_instance_uid)),  # Affected SOP Instance UID
        )
    )
    return _element(0x0000, struct.pack("<I", len(elements))) + elements


def _element(number: int, value: bytes) -> bytes:
    """Element (0000,number), implicit VR little endian (PS3.5 7.1.3)."""
    return struct.pack("<HHI", 0x0000, number, len(value)) + value


def _uid(uid: str) -> bytes:
    """A UID as written: padded with NUL to even length (PS3.5 9.1)."""
    encoded = uid.encode("ascii")
    return encoded + b"\0" * (len(encoded) % 2)


def _status(command: bytes, message_id: int) -> int:
    """The status of a C-STORE-RSP (PS3.7 9.3.1.2) to our request."""
    answer = _numbers(command)
    got = answer.get(COMMAND_FIELD), answer.get(MESSAGE_ID_RESPONDED_TO)
    if got != (C_STORE_RSP, message_id) or STATUS not in answer:
        raise EOFError(f"wanted the response to C-STORE request {message_id}, got {got}")
    return answer[STATUS]


def _numbers(command: bytes) -> dict[int, int]:
    """The US values of a command set, by element number (PS3.7 6.3.1; PS3.5 7.1.3)."""
    found, start = {}, 0
    while start + 8 <= len(command):
        group, element, length = struct.unpack_from("<HHI", command, start)
        if (group, length) == (0, 2) and start + 10 <= len(command):
            found[element] = int.from_bytes(command[start + 8 : start + 10], "little")
        start += 8 + length
    return found


def _pdata_header(context_id: int, control: int, length: int) -> bytes:
    """Header of a P-DATA-TF PDU with one presentation data value (PS3.8 9.3.5)."""
    return struct.pack(">BBIIBB", DATA_TF, 0, length + 6, length + 2, context_id, control)


def _pdata(context_id: int, control: int, piece: bytes) -> bytes:
    return _pdata_header(context_id, control, len(piece)) + piece


def _values(body: bytes) -> list[tuple[int, bytes]]:
    """(message control header, fragment) of each presentation data value in a P-DATA-TF PDU."""
    values, start = [], 0
    while start + 6 <= len(body):
        length = struct.unpack(">I", body[start : start + 4])[0]
        values.append((body[start + 5], body[start + 6 : start + 4 + length]))
        start += 4 + length
    return values


def _acknowledge_at_once(connection: socket.socket) -> None:
    """Ask for immediate TCP acknowledgement: a peer under Nagle's rule waits 40 ms for it."""
    if hasattr(socket, "TCP_QUICKACK"):  # Linux; not sticky, so set before every answer
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


def _said(error: BaseException) -> str:
    """What an error says, without the number that the system gives it."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
