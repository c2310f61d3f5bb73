"""Command sets (PS3.7 6.3.1 and annex E): always implicit VR little endian, a dozen elements."""

from __future__ import annotations

import struct
from dataclasses import dataclass

# PS3.7 table E.1-1
AFFECTED_SOP_CLASS_UID, COMMAND_FIELD, MESSAGE_ID = 0x0002, 0x0100, 0x0110
REQUESTED_SOP_CLASS_UID, REQUESTED_SOP_INSTANCE_UID = 0x0003, 0x1001
MESSAGE_ID_BEING_RESPONDED_TO, COMMAND_DATA_SET_TYPE, STATUS = 0x0120, 0x0800, 0x0900
ERROR_COMMENT, AFFECTED_SOP_INSTANCE_UID, EVENT_TYPE_ID = 0x0902, 0x1000, 0x1002

C_STORE_RQ, C_ECHO_RQ, C_CANCEL_RQ = 0x0001, 0x0030, 0x0FFF
N_EVENT_REPORT_RQ, N_SET_RQ, N_CREATE_RQ = 0x0100, 0x0120, 0x0140
RESPONSE = 0x8000  # added to the Command Field of a request
NO_DATA_SET = 0x0101

# PS3.4 table B.2-1 (A700H and after) and PS3.7 annex C
SUCCESS = 0x0000
INVALID_ATTRIBUTE_VALUE = 0x0106
PROCESSING_FAILURE = 0x0110
DUPLICATE_SOP_INSTANCE = 0x0111
NO_SUCH_OBJECT_INSTANCE = 0x0112
SOP_CLASS_NOT_SUPPORTED = 0x0122
UNRECOGNIZED_OPERATION = 0x0211
OUT_OF_RESOURCES = 0xA700
DATA_SET_DOES_NOT_MATCH = 0xA900
CANNOT_UNDERSTAND = 0xC000

MAX_COMMENT = 64  # VR LO
_ELEMENT = struct.Struct("<HHL")


class CommandError(Exception):
    """A command set cannot be read."""


@dataclass(frozen=True)
class Request:
    """What is needed of a request's command set; absent UIDs are empty.

    The UIDs are the affected ones, or the requested ones of an N-SET (PS3.7 10.3.3).
    """

    command_field: int
    message_id: int
    has_data_set: bool
    sop_class_uid: str
    sop_instance_uid: str
    event_type_id: int


def read_request(command: bytes | bytearray) -> Request:
    """Read a command set.

    Raises:
        CommandError: it is cut short, or lacks what every request has.
    """
    values: dict[int, bytes] = {}
    position = 0
    while position < len(command):
        if position + 8 > len(command):
            raise CommandError("the command set is cut short")
        group, number, length = _ELEMENT.unpack_from(command, position)
        position += 8 + length
        if group != 0 or position > len(command):
            raise CommandError("the command set holds something else, or is cut short")
        values[number] = bytes(command[position - length : position])
    return Request(
        _number(values, COMMAND_FIELD),
        0 if COMMAND_FIELD in values and MESSAGE_ID not in values else _number(values, MESSAGE_ID),
        _number(values, COMMAND_DATA_SET_TYPE) != NO_DATA_SET,
        _text(values, AFFECTED_SOP_CLASS_UID) or _text(values, REQUESTED_SOP_CLASS_UID),
        _text(values, AFFECTED_SOP_INSTANCE_UID) or _text(values, REQUESTED_SOP_INSTANCE_UID),
        _number(values, EVENT_TYPE_ID) if EVENT_TYPE_ID in values else 0,
    )


def write_response(request: Request, status: int, comment: str = "") -> bytes:
    """The command set that answers a request, without a data set."""
    elements = [
        _ui(AFFECTED_SOP_CLASS_UID, request.sop_class_uid),
        _us(COMMAND_FIELD, (request.command_field | RESPONSE) & 0xFFFF),
        _us(MESSAGE_ID_BEING_RESPONDED_TO, request.message_id),
        _us(COMMAND_DATA_SET_TYPE, NO_DATA_SET),
        _us(STATUS, status),
        _lo(ERROR_COMMENT, comment),
        _ui(AFFECTED_SOP_INSTANCE_UID, request.sop_instance_uid),
        _us(EVENT_TYPE_ID, request.event_type_id) if request.event_type_id else b"",
    ]
    body = b"".join(elements)
    return _ELEMENT.pack(0, 0, 4) + struct.pack("<L", len(body)) + body


def _number(values: dict[int, bytes], tag: int) -> int:
    value = values.get(tag, b"")
    if len(value) != 2:
        raise CommandError(f"the command set needs (0000,{tag:04X}) of two bytes")
    return int.from_bytes(value, "little")


def _text(values: dict[int, bytes], tag: int) -> str:
    return values.get(tag, b"").decode("latin-1").strip(" \0")


def _us(tag: int, value: int) -> bytes:
    return _ELEMENT.pack(0, tag, 2) + struct.pack("<H", value)


def _ui(tag: int, value: str) -> bytes:
    return _padded(tag, value.encode("latin-1"), b"\0")


def _lo(tag: int, value: str) -> bytes:
    return _padded(tag, value.encode("ascii", "replace")[:MAX_COMMENT], b" ")


def _padded(tag: int, value: bytes, padding: bytes) -> bytes:
    if not value:
        return b""
    value += padding * (len(value) % 2)
    return _ELEMENT.pack(0, tag, len(value)) + value
