from __future__ import annotations

import zlib
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from node.spooling.elements import (
    EXPLICIT,
    IMPLICIT,
    MAX_DEPTH,
    MAX_INFLATED_BYTES,
    MAX_NESTED,
    Element,
    Encoding,
    Nested,
    encoding_of,
    inflated,
    items,
    next_element,
    walk,
)
from node.spooling.errors import UnreadableDataset
from tests.node.datasets import encoded, small_ct

SYNTAXES = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless)


def nested(depth: int, undefined: bool) -> Dataset:
    ds = Dataset()
    ds.CodeValue = "X"
    for _ in range(depth):
        outer = Dataset()
        outer.ContentSequence = Sequence([ds])
        outer["ContentSequence"].is_undefined_length = undefined
        ds.is_undefined_length_sequence_item = undefined
        ds = outer
    return ds


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_the_walk_finds_what_pydicom_finds(syntax: UID) -> None:
    ds = small_ct(ContentSequence=nested(3, True).ContentSequence)
    ds["ContentSequence"].is_undefined_length = True
    data = encoded(ds, syntax)
    found = list(walk(data, 0, len(data), encoding_of(syntax)))
    assert [element.tag for element in found] == [int(tag) for tag in sorted(ds.keys())]
    uid = next(e for e in found if e.tag == 0x00080018)
    assert data[uid.start : uid.end].decode().strip("\0") == ds.SOPInstanceUID


@cache
def nested_ct(syntax: UID) -> bytes:
    return encoded(small_ct(ContentSequence=nested(2, True).ContentSequence), syntax)


@pytest.mark.parametrize("syntax", SYNTAXES)
@given(cut=st.floats(0, 1, exclude_max=True, exclude_min=True))
def test_a_cut_anywhere_but_between_elements_is_found(syntax: UID, cut: float) -> None:
    data = nested_ct(syntax)
    encoding = encoding_of(syntax)
    elements = list(walk(data, 0, len(data), encoding))
    stop = int(cut * len(data))
    between = {0, *(e.end for e in elements), *(e.end + 8 for e in elements)}
    if stop not in between:
        with pytest.raises(UnreadableDataset):
            list(walk(data[:stop], 0, stop, encoding))


@given(data=st.binary(max_size=200), implicit=st.booleans())
def test_noise_is_walked_or_refused(data: bytes, implicit: bool) -> None:
    try:
        found = list(walk(data, 0, len(data), Encoding(implicit=implicit)))
    except UnreadableDataset:
        return
    assert all(element.start <= element.end <= len(data) for element in found)


@pytest.mark.parametrize("undefined", [True, False])
def test_items_are_the_data_sets_of_a_sequence(undefined: bool) -> None:
    ds = Dataset()
    first, second = Dataset(), Dataset()
    first.CodeValue, second.CodeValue = "A", "B"
    for item in (first, second):
        item.is_undefined_length_sequence_item = undefined
    ds.ContentSequence = Sequence([first, second])
    ds["ContentSequence"].is_undefined_length = undefined
    ds.file_meta = small_ct().file_meta
    data = encoded_alone(ds)
    encoding = encoding_of(ExplicitVRLittleEndian)
    (sequence,) = walk(data, 0, len(data), encoding)
    values = [
        data[e.start : e.end].strip()
        for start, stop in items(data, sequence, encoding)
        for e in walk(data, start, stop, encoding)
    ]
    assert values == [b"A", b"B"]


def test_endless_nesting_is_refused() -> None:
    open_sequence = bytes.fromhex("4000 30A7 5351 0000 FFFFFFFF FEFF00E0 FFFFFFFF")
    data = open_sequence * (MAX_DEPTH + 10)
    with pytest.raises(UnreadableDataset, match="nested deeper"):
        list(walk(data, 0, len(data), Encoding()))


@pytest.mark.parametrize(
    "item",
    ["FEFF00E0 00000000", "FEFF00E0 FFFFFFFF FEFF0DE0 00000000", "FEFF00E0 08000000 " + "00" * 8],
)
def test_a_sequence_that_would_fill_the_memory_of_a_reader_is_refused(item: str) -> None:
    head, end = bytes.fromhex("08004011 5351 0000 FFFFFFFF"), bytes.fromhex("FEFFDDE0 00000000")
    data = head + bytes.fromhex(item) * 1000 + end
    assert len(list(walk(data, 0, len(data), Encoding()))) == 1
    data = head + bytes.fromhex(item) * (MAX_NESTED + 1) + end
    with pytest.raises(UnreadableDataset, match="items and elements within sequences"):
        list(walk(data, 0, len(data), Encoding()))


def test_one_item_that_would_fill_the_memory_of_a_reader_is_refused() -> None:
    head = bytes.fromhex("08004011 5351 0000 FFFFFFFF FEFF00E0 FFFFFFFF")
    data = head + bytes.fromhex("08005011 5549 0000") * (MAX_NESTED + 1)
    with pytest.raises(UnreadableDataset, match="items and elements within sequences"):
        list(walk(data, 0, len(data), Encoding()))


def test_a_deflated_data_set_is_whole_or_refused() -> None:
    data = memoryview(encoded(small_ct(), DeflatedExplicitVRLittleEndian))
    assert inflated(data)[:4] == b"\x08\x00\x05\x00"
    for broken in (data[: len(data) // 2], b"\xff" * 40):
        with pytest.raises(UnreadableDataset):
            inflated(broken)


def test_a_small_deflated_data_set_that_would_fill_the_memory_is_refused() -> None:
    packer, megabyte = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS), bytes(1 << 20)
    bomb = b"".join(packer.compress(megabyte) for _ in range(MAX_INFLATED_BYTES >> 20))
    assert len(inflated(bomb + packer.copy().flush())) == MAX_INFLATED_BYTES
    with pytest.raises(UnreadableDataset, match="another transfer syntax"):
        inflated(bomb + packer.compress(b"x") + packer.flush())


def encoded_alone(ds: Dataset) -> bytes:
    from pydicom.filebase import DicomBytesIO
    from pydicom.filewriter import write_dataset

    stream = DicomBytesIO()
    stream.is_little_endian, stream.is_implicit_VR = True, False
    write_dataset(stream, ds)
    return stream.getvalue()


def test_a_vr_that_nobody_knows_is_one_and_a_length_in_its_place_is_none() -> None:
    """Some writers switch to implicit VR in the middle."""
    new = b"\x08\x00\x16\x00ZQ\x02\x00ab"
    assert next_element(new, 0, 10, EXPLICIT, Nested()) == (Element(0x00080016, b"ZQ", 8, 10), 10)
    implicit = b"\x08\x00\x16\x00\x02\x00\x00\x00ab"
    assert next_element(implicit, 0, 10, EXPLICIT, Nested()) == (
        Element(0x00080016, b"", 8, 10),
        10,
    )


def test_a_length_that_spells_a_vr_is_a_length() -> None:
    """In implicit VR nothing but the length stands there: 0x5349 is "IS" in the stream."""
    data = b"\x08\x00\x16\x00" + b"IS\x00\x00" + bytes(0x5349)
    assert list(walk(data, 0, len(data), IMPLICIT)) == [Element(0x00080016, b"", 8, len(data))]
