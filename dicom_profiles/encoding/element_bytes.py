"""Single elements in Explicit VR Little Endian, without a data set around them (PS3.5 7.1.2).

pydicom writes every kind of element; these few kinds are nearly all that differs from slice to
slice, and are written directly because a series has thousands of them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from string import ascii_lowercase, ascii_uppercase

LONG_LENGTH_VRS = frozenset(
    {"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"}
)
"""Value representations with two reserved bytes and a length of four (PS3.5 table 7.1-1)."""

TO_UPPER_CASE = str.maketrans(ascii_lowercase, ascii_uppercase)
"""For `str.translate` of code strings: `upper` would make of ÿ and ß what cannot be written."""

LONGEST_SHORT_VALUE = 0xFFFE
ITEM = 0xFFFEE000


def element_bytes(tag: int, vr: str, value: bytes) -> bytes:
    """One element; the value has an even length already."""
    return element_head(tag, vr, len(value)) + value


def element_head(tag: int, vr: str, length: int) -> bytes:
    """Tag, VR and length of one element.

    Raises:
        ValueError: the VR has a length of two bytes and the value is longer.
    """
    group, element = tag >> 16, tag & 0xFFFF
    if vr in LONG_LENGTH_VRS:
        return struct.pack("<HH2sHI", group, element, vr.encode(), 0, length)
    if length > LONGEST_SHORT_VALUE:
        raise ValueError(f"A value of VR {vr} has at most {LONGEST_SHORT_VALUE} bytes: {length}.")
    return struct.pack("<HH2sH", group, element, vr.encode(), length)


def text_bytes(tag: int, vr: str, text: str) -> bytes:
    """One element of ASCII text, padded to an even length (PS3.5 6.2)."""
    value = text.encode("ascii")
    if len(value) % 2:
        value += b"\0" if vr == "UI" else b" "
    return element_bytes(tag, vr, value)


def sequence_bytes(tag: int, items: Iterable[bytes]) -> bytes:
    """A sequence of encoded items, with explicit lengths (PS3.5 7.5.1)."""
    parts = [struct.pack("<HHI", ITEM >> 16, ITEM & 0xFFFF, len(item)) + item for item in items]
    return element_bytes(tag, "SQ", b"".join(parts))
