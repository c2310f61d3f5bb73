"""The File Meta Information in front of a received data set (PS3.10 7.1), and reading it back."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from dicom_profiles.equipment import (
    IMPLEMENTATION_CLASS_UID as OUR_CLASS_UID,
)
from dicom_profiles.equipment import (
    IMPLEMENTATION_VERSION_NAME as OUR_VERSION_NAME,
)
from node.spooling.elements import EXPLICIT, Buffer, walk
from node.spooling.errors import UnreadableDataset

PREAMBLE = bytes(128) + b"DICM"
GROUP_LENGTH_END = len(PREAMBLE) + 12  # (0002,0000) UL is always twelve bytes

# PS3.10 table 7.1-1
SOP_CLASS_UID, SOP_INSTANCE_UID, TRANSFER_SYNTAX_UID = 0x00020002, 0x00020003, 0x00020010
IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME = 0x00020012, 0x00020013
SOURCE_AE, SENDING_AE, RECEIVING_AE = 0x00020016, 0x00020017, 0x00020018


@dataclass(frozen=True)
class ReceivedFacts:
    """What is known of an instance before its data set is read.

    Attributes:
        sop_class_uid: as announced by the sender.
        sop_instance_uid: as announced by the sender.
        transfer_syntax_uid: in which the data set is encoded.
        source_ae: AE title of the sender.
        receiving_ae: our AE title.
        association: names the association (or request) in file names and logs.
        study_instance_uid: to which study the sender adds it, "" where that was not said.
    """

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    source_ae: str
    receiving_ae: str
    association: str
    study_instance_uid: str = ""


@dataclass(frozen=True)
class FileMeta:
    """What our own files say about themselves; `end` is where the data set begins."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    source_ae: str
    end: int


def write_file_meta(facts: ReceivedFacts) -> bytes:
    """Preamble, prefix and File Meta Information, explicit VR little endian (PS3.10 7.1)."""
    elements = b"".join(
        (
            struct.pack("<HH2sHL2s", 0x0002, 0x0001, b"OB", 0, 2, b"\0\1"),
            _text(SOP_CLASS_UID, b"UI", facts.sop_class_uid),
            _text(SOP_INSTANCE_UID, b"UI", facts.sop_instance_uid),
            _text(TRANSFER_SYNTAX_UID, b"UI", facts.transfer_syntax_uid),
            _text(IMPLEMENTATION_CLASS_UID, b"UI", OUR_CLASS_UID),
            _text(IMPLEMENTATION_VERSION_NAME, b"SH", OUR_VERSION_NAME),
            _text(SOURCE_AE, b"AE", facts.source_ae),
            _text(SENDING_AE, b"AE", facts.source_ae),
            _text(RECEIVING_AE, b"AE", facts.receiving_ae),
        )
    )
    return PREAMBLE + struct.pack("<HH2sHL", 2, 0, b"UL", 4, len(elements)) + elements


def read_file_meta(buffer: Buffer, size: int) -> FileMeta:
    """Read the File Meta Information of a Part 10 file back.

    Raises:
        UnreadableDataset: the file is not one that this node wrote.
    """
    if size < GROUP_LENGTH_END or bytes(buffer[128:132]) != b"DICM":
        raise UnreadableDataset("Wanted a DICOM Part 10 file, got one without the prefix DICM.")
    (length,) = struct.unpack_from("<L", buffer, GROUP_LENGTH_END - 4)
    end = GROUP_LENGTH_END + length
    values = {
        element.tag: buffer[element.start : element.end]
        for element in walk(buffer, GROUP_LENGTH_END, min(end, size), EXPLICIT)
    }
    wanted = (SOP_CLASS_UID, SOP_INSTANCE_UID, TRANSFER_SYNTAX_UID)
    if end > size or any(tag not in values for tag in wanted):
        raise UnreadableDataset("The File Meta Information is cut short or lacks a UID.")
    text = {tag: bytes(value).decode("latin-1").strip(" \0") for tag, value in values.items()}
    return FileMeta(
        text[SOP_CLASS_UID],
        text[SOP_INSTANCE_UID],
        text[TRANSFER_SYNTAX_UID],
        text.get(SOURCE_AE, ""),
        end,
    )


def _text(tag: int, vr: bytes, value: str) -> bytes:
    padding = b"\0" if vr == b"UI" else b" "  # PS3.5 6.2: values have an even length
    encoded = value.encode("ascii", "replace")
    encoded += padding * (len(encoded) % 2)
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(encoded)) + encoded
