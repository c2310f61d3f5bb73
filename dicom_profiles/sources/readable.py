"""Elements whose bytes are no value of theirs are left out of a header.

pydicom reads a value when somebody asks for it, and raises then. A CTDIvol of twelve bytes would
stop whoever is first to ask, in the middle of recognition say; without it, the header is one that
lacks this attribute, which every reader of headers expects.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isfinite

from pydicom.datadict import get_entry
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.valuerep import STR_VR

BYTES_OF_A_VALUE: Mapping[str, int] = {
    "AT": 4, "FD": 8, "FL": 4, "SL": 4, "SS": 2, "SV": 8, "UL": 4, "US": 2, "UV": 8,
}  # fmt: skip
"""Value representations of a fixed length (PS3.5 table 6.2-1)."""

STREAMS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW"})
"""Value representations of bytes: whatever is there is a value."""

NUMBER = re.compile(rb"[\s\0]*([+-]?(?:\d+\.?\d*|\.\d+)(?:[Ee][+-]?\d+)?)?[\s\0]*")
"""A decimal or integer string; an integer with a point is common."""

_KINDS: Mapping[str, str] = {
    **dict.fromkeys(STR_VR, "text"),
    **dict.fromkeys(BYTES_OF_A_VALUE, "binary"),
    **dict.fromkeys(STREAMS, "bytes"),
    "SQ": "sequence",
}

NUMBER_OF_FRAMES = 0x00280008
"""Stays whatever it says, since without it an image is one of a single frame."""


def _is_number(text: bytes) -> bool:
    """Whether it is a finite number, or nothing (PS3.5 6.2)."""
    found = NUMBER.fullmatch(text)
    return found is not None and isfinite(float(found[1] or 0))


NOT_FREE_TEXT = {"DS": _is_number, "IS": _is_number, "UI": bytes.isascii}
"""Value representations of text whose values are no words, and what each value has to be."""


def leave_out_unreadable(header: Dataset) -> None:
    """Delete the standard elements that cannot be read, in items of sequences too."""
    for element in list(header.values()):
        if not element.tag.is_private and not _is_readable(header, element):
            del header[element.tag]


def _is_readable(header: Dataset, element: DataElement | RawDataElement) -> bool:
    try:
        defined, multiplicity = get_entry(element.tag)[:2]
    except KeyError:  # of a newer edition than pydicom's dictionary
        return True
    choice = defined.split(" or ")
    written = element.VR if element.VR not in (None, "UN") else choice[0]
    if written not in _KINDS or _KINDS[written] not in map(_KINDS.get, choice):
        return False
    if written == "SQ":
        return _read_items(header, element)
    if isinstance(element, DataElement) or element.value is None:
        return True
    if written in BYTES_OF_A_VALUE:
        return _fits(len(element.value), BYTES_OF_A_VALUE[written], multiplicity)
    if choice[0] in NOT_FREE_TEXT and element.tag != NUMBER_OF_FRAMES:
        values = element.value.split(b"\\")
        too_many = len(values) > 1 and multiplicity == "1"
        return not too_many and all(map(NOT_FREE_TEXT[choice[0]], values))
    return True


def _fits(length: int, size: int, multiplicity: str) -> bool:
    """Whether so many bytes are whole values, and no more of them than may be."""
    return length % size == 0 and (length <= size or multiplicity != "1")


def _read_items(header: Dataset, element: DataElement | RawDataElement) -> bool:
    """Read a sequence and leave out what cannot be read in its items; false without items in it."""
    try:
        items = header[element.tag].value
    except Exception:  # noqa: BLE001 - pydicom raises what the bytes lead it to
        return False
    if not isinstance(items, Sequence):
        return False
    for item in items:
        leave_out_unreadable(item)
    return True
