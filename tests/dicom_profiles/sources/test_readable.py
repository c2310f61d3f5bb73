"""Elements that cannot be read are left out; all others stay as they were."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from dicom_profiles.reading import read_header
from dicom_profiles.sources.readable import leave_out_unreadable
from tests.synthetic import break_ctdi, write_ct_series

KEYWORDS = (
    "CTDIvol", "Rows", "SmallestImagePixelValue", "LUTData", "KVP", "InstanceNumber",
    "PixelSpacing", "FrameOfReferenceUID", "ReferencedImageSequence", "SeriesDescription",
    "FrameIncrementPointer", "StudyDate", "PatientName",
)  # fmt: skip
VRS = (
    "AT",
    "CS",
    "DA",
    "DS",
    "FD",
    "IS",
    "LO",
    "OB",
    "OW",
    "PN",
    "SH",
    "SQ",
    "UI",
    "UN",
    "US",
    "ZZ",
)


def header_with(keyword: str, vr: str | None, value: bytes) -> Dataset:
    """A header of one element as it is read from a file; without a VR in implicit VR."""
    tag = Tag(keyword)
    ds = Dataset()
    implicit = vr is None
    ds._dict[tag] = RawDataElement(tag, vr, len(value), value, 0, implicit, True, True)
    return ds


@pytest.mark.parametrize(
    ("keyword", "vr", "value"),
    [
        ("CTDIvol", "FD", bytes(12)),
        ("CTDIvol", None, bytes(12)),
        ("CTDIvol", "DS", b"12.5"),
        ("Rows", "US", bytes(3)),
        ("Rows", "US", bytes(4)),
        ("KVP", "ZZ", b"120 "),
        ("KVP", "DS", b"1e400 "),
        ("KVP", "DS", b"nan "),
        ("KVP", "DS", b"1_2 "),
        ("KVP", "DS", b"120\\130 "),
        ("KVP", "LO", b"high"),
        ("InstanceNumber", "IS", b"one "),
        ("FrameOfReferenceUID", "UI", b"1.2\xff3"),
        ("FrameOfReferenceUID", "UI", b"1.2\\1.3"),
        ("SeriesDescription", "SQ", b""),
        ("ReferencedImageSequence", "SQ", b"DOE"),
        ("ReferencedImageSequence", "LO", b"DOE^JANE"),
    ],
)
def test_what_cannot_be_read_is_left_out(keyword: str, vr: str | None, value: bytes) -> None:
    header = header_with(keyword, vr, value)
    leave_out_unreadable(header)
    assert keyword not in header


@pytest.mark.parametrize(
    ("keyword", "vr", "value"),
    [
        ("CTDIvol", "FD", struct.pack("<d", 3.5)),
        ("CTDIvol", "UN", struct.pack("<d", 3.5)),
        ("Rows", "US", b""),
        ("LUTData", "OW", bytes(6)),
        ("LUTData", "US", bytes(6)),
        ("SmallestImagePixelValue", "SS", bytes(2)),
        ("KVP", "DS", b""),
        ("KVP", "DS", b" 1.2E+2 "),
        ("KVP", "LO", b"120 "),
        ("PixelSpacing", "DS", b"0.5\\.5"),
        ("PixelSpacing", "DS", b"\\"),
        ("InstanceNumber", "IS", b"1.0\0"),
        ("FrameOfReferenceUID", "UI", b"1.2.3\0"),
        ("SeriesDescription", "SH", b"a\\b"),
        ("NumberOfFrames", "IS", b"1A"),
    ],
)
def test_what_can_be_read_stays(keyword: str, vr: str | None, value: bytes) -> None:
    header = header_with(keyword, vr, value)
    leave_out_unreadable(header)
    assert keyword in header


def test_items_of_sequences_are_looked_through() -> None:
    item = header_with("CTDIvol", "FD", bytes(12))
    item.CodeValue = "1"
    header = Dataset()
    header.ReferencedImageSequence = Sequence([item])
    leave_out_unreadable(header)
    assert list(header.ReferencedImageSequence[0].keys()) == [Tag("CodeValue")]


def test_private_elements_are_nobodys_business() -> None:
    header = Dataset()
    tag = Tag(0x0019, 0x1001)
    header._dict[tag] = RawDataElement(tag, "ZZ", 1, b"a", 0, False, True, True)
    leave_out_unreadable(header)
    assert tag in header


@given(keyword=st.sampled_from(KEYWORDS), vr=st.sampled_from(VRS), value=st.binary(max_size=40))
@pytest.mark.filterwarnings("ignore")
def test_nobody_who_asks_meets_an_error(keyword: str, vr: str, value: bytes) -> None:
    header = header_with(keyword, vr, value)
    leave_out_unreadable(header)
    str(header.get(keyword))


def test_a_header_is_read_without_it(tmp_path: Path) -> None:
    (path,) = write_ct_series(tmp_path, slices=1, CTDIvol=3.5)
    break_ctdi(path)
    header = read_header(path)
    assert "CTDIvol" not in header
    assert header.KVP == 120
