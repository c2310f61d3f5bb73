"""Walking a data set element by element (PS3.5 section 7), without decoding any value.

It serves two ends at a small price: the UIDs and attributes of the header, and the proof that
the data set is whole, since every length must fit and the last element must end at the last byte.
Buffers are anything that `struct` reads: bytes, a memoryview, a memory-mapped file.
"""

from __future__ import annotations

import mmap
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
)

from node.spooling.errors import UnreadableDataset

Buffer = bytes | bytearray | memoryview | mmap.mmap

UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD  # PS3.5 7.5
PIXEL_DATA_GROUP = 0x7FE00000
MAX_DEPTH = 32  # sequences within sequences; real objects stay below ten
MAX_NESTED = 250_000  # items and elements in sequences without a length: readers keep each
MAX_INFLATED_BYTES = 1 << 27  # of a deflated data set: to read it is to have it in memory

# PS3.5 7.1.2: these have two reserved bytes and a 32 bit length in explicit VR.
LONG_VRS = frozenset(
    (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
)
SHORT_VRS = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())


@dataclass(frozen=True)
class Encoding:
    """How the elements of a data set are encoded (PS3.5 annex A).

    Attributes:
        implicit: value representations are not in the stream.
        order: byte order as `struct` has it.
        deflated: the whole data set is compressed (PS3.5 A.5).
    """

    implicit: bool = False
    order: str = "<"
    deflated: bool = False


EXPLICIT = Encoding()
IMPLICIT = Encoding(implicit=True)
_ENCODINGS = {
    ImplicitVRLittleEndian: IMPLICIT,
    ExplicitVRBigEndian: Encoding(order=">"),
    DeflatedExplicitVRLittleEndian: Encoding(deflated=True),
}
_HEADERS = {order: struct.Struct(f"{order}HH2sH") for order in "<>"}
_TAGS_AND_LENGTHS = {order: struct.Struct(f"{order}HHL") for order in "<>"}
_LENGTHS = {order: struct.Struct(f"{order}L") for order in "<>"}


class Element(NamedTuple):
    """Where one element lies: its value is `buffer[start:end]`; `vr` is empty when implicit."""

    tag: int
    vr: bytes
    start: int
    end: int


class Nested:
    """Counts what lies in sequences of undefined length, whose end is found item by item."""

    def __init__(self) -> None:
        self._found = 0

    def one_more(self) -> None:
        """Count an item or an element.

        Raises:
            UnreadableDataset: there are more than any information object has.
        """
        self._found += 1
        if self._found > MAX_NESTED:
            raise UnreadableDataset(
                f"Wanted at most {MAX_NESTED} items and elements within sequences, got more; it is "
                "no DICOM information object."
            )


def encoding_of(transfer_syntax_uid: str) -> Encoding:
    """The encoding of a transfer syntax; every compressed one is explicit little endian."""
    return _ENCODINGS.get(transfer_syntax_uid, EXPLICIT)  # type: ignore[call-overload, no-any-return]


def walk(buffer: Buffer, start: int, stop: int, encoding: Encoding) -> Iterator[Element]:
    """The elements at the top level between two offsets, in the order of the stream.

    Raises:
        UnreadableDataset: a length does not fit, so the data set is cut short or malformed.
    """
    unpack, implicit = _HEADERS[encoding.order].unpack_from, encoding.implicit
    position, nested = start, Nested()
    while position < stop:
        if not implicit and position + 8 <= stop:  # most elements: short, in explicit VR
            group, number, vr, length = unpack(buffer, position)
            end = position + 8 + length
            if vr in SHORT_VRS and end <= stop:
                yield Element(group << 16 | number, vr, position + 8, end)
                position = end
                continue
        element, position = next_element(buffer, position, stop, encoding, nested)
        yield element


def next_element(
    buffer: Buffer,
    position: int,
    stop: int,
    encoding: Encoding,
    nested: Nested,
    depth: int = 0,
) -> tuple[Element, int]:
    """One element and the offset of the one after it.

    Raises:
        UnreadableDataset: it does not fit before `stop`, or holds too much.
    """
    if position + 8 > stop:
        raise cut_short(position, stop)
    vr = b""
    if not encoding.implicit:
        group, number, vr, length = _HEADERS[encoding.order].unpack_from(buffer, position)
        value = position + 8
        if vr in LONG_VRS:
            if position + 12 > stop:
                raise cut_short(position, stop)
            (length,) = _LENGTHS[encoding.order].unpack_from(buffer, value)
            value = position + 12
        elif vr not in SHORT_VRS and not b"AA" <= vr <= b"ZZ":
            vr = b""  # some writers switch to implicit VR in the middle; readers follow them
    if not vr:
        group, number, length = _TAGS_AND_LENGTHS[encoding.order].unpack_from(buffer, position)
        value = position + 8
    tag = group << 16 | number
    if length == UNDEFINED:
        inner = IMPLICIT if vr == b"UN" else encoding  # PS3.5 6.2.2 note 4
        end, following = _end_of_items(buffer, value, stop, inner, nested, depth + 1)
    else:
        end = following = value + length
    if following > stop:
        raise cut_short(position, stop)
    return Element(tag, vr, value, end), following


def items(buffer: Buffer, sequence: Element, encoding: Encoding) -> Iterator[tuple[int, int]]:
    """First and last offset of each item's data set within a sequence's value."""
    position, nested = sequence.start, Nested()
    while position + 8 <= sequence.end:
        tag, length = _tag_and_length(buffer, position, sequence.end, encoding)
        if tag != ITEM:
            return
        start = position + 8
        if length == UNDEFINED:
            end, position = _end_of_item(buffer, start, sequence.end, encoding, nested, 1)
        else:
            end = position = start + length
        yield start, min(end, sequence.end)


def inflated(data: Buffer) -> bytes:
    """A deflated data set (PS3.5 A.5) as it was before.

    Raises:
        UnreadableDataset: the compressed stream is broken, cut short, or too large inflated.
    """
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        whole = stream.decompress(data, MAX_INFLATED_BYTES + 1)
    except zlib.error as error:
        raise UnreadableDataset(_BROKEN_DEFLATE) from error
    if len(whole) > MAX_INFLATED_BYTES:
        raise UnreadableDataset(_TOO_LARGE)
    if not stream.eof:
        raise UnreadableDataset(_BROKEN_DEFLATE)
    return whole


_BROKEN_DEFLATE = (
    "The deflated data set does not end as it should: wanted a whole stream, got a broken one; "
    "send the instance again."
)


_TOO_LARGE = (
    f"Wanted a deflated data set of at most {MAX_INFLATED_BYTES} bytes inflated, got a larger one; "
    "send the instance in another transfer syntax."
)


def cut_short(position: int, stop: int) -> UnreadableDataset:
    """The error for an element that goes beyond the last byte."""
    return UnreadableDataset(
        f"The data set is cut short or malformed: the element at byte {position} does not end "
        f"before byte {stop}; send the instance again."
    )


def _tag_and_length(
    buffer: Buffer, position: int, stop: int, encoding: Encoding
) -> tuple[int, int]:
    if position + 8 > stop:
        raise cut_short(position, stop)
    group, number, length = _TAGS_AND_LENGTHS[encoding.order].unpack_from(buffer, position)
    return group << 16 | number, length


def _end_of_items(
    buffer: Buffer, position: int, stop: int, encoding: Encoding, nested: Nested, depth: int
) -> tuple[int, int]:
    """End of a value of undefined length, and the offset behind its delimiter (PS3.5 7.5.2)."""
    if depth > MAX_DEPTH:
        raise UnreadableDataset(
            f"Sequences are nested deeper than {MAX_DEPTH} levels; wanted a DICOM information "
            "object, got something else."
        )
    while True:
        tag, length = _tag_and_length(buffer, position, stop, encoding)
        if tag == SEQUENCE_END:
            return position, position + 8
        if tag != ITEM:
            raise cut_short(position, stop)
        nested.one_more()
        position += 8
        if length == UNDEFINED:
            _, position = _end_of_item(buffer, position, stop, encoding, nested, depth)
        else:
            position += length


def _end_of_item(
    buffer: Buffer, position: int, stop: int, encoding: Encoding, nested: Nested, depth: int
) -> tuple[int, int]:
    while True:
        tag, _ = _tag_and_length(buffer, position, stop, encoding)
        if tag == ITEM_END:
            return position, position + 8
        nested.one_more()
        _, position = next_element(buffer, position, stop, encoding, nested, depth)
