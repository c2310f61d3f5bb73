from __future__ import annotations

import json
import struct
import warnings
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from node.spooling.attributes import (
    MAX_VALUE_BYTES,
    header_attributes,
    implicit_vr,
    json_of_value,
)
from node.spooling.elements import encoding_of, inflated
from node.spooling.errors import UnreadableDataset
from tests.node.datasets import dataset_bytes, encoded, small_ct


def attributes_of(data: bytes, syntax: str) -> dict[str, object]:
    encoding = encoding_of(syntax)
    if encoding.deflated:
        data = inflated(data)
    return header_attributes(data, 0, len(data), encoding)


def by_pydicom(ds: Dataset) -> dict[str, Any]:
    ds = Dataset({tag: ds[tag] for tag in list(ds.keys()) if tag < 0x7FE00000})
    return dict(ds.to_json_dict(suppress_invalid_tags=True))


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_a_header_is_the_json_that_pydicom_gives(syntax: UID) -> None:
    ds = small_ct(PixelPaddingValue=-2000, ImageComments="Größe\r\nvon\\zwei", padding_value=-2000)
    assert attributes_of(encoded(ds, syntax), syntax) == by_pydicom(ds)


def test_patients_names_survive_every_character_set(shared_data: Path) -> None:
    for path in sorted((shared_data / "odd" / "charset").glob("*.dcm")):
        ds = pydicom.dcmread(path, stop_before_pixels=True)
        data = dataset_bytes(path.read_bytes())
        found = attributes_of(data, ds.file_meta.TransferSyntaxUID)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wanted = ds.to_json_dict()
        assert found.get("00100010") == wanted.get("00100010"), path.name


def test_real_headers_agree_with_pydicom(shared_data: Path) -> None:
    folders = ("ct_chest_philips_lidc0314", "ct_liver_ge_1004", "ct_body_siemens_mct")
    for folder in folders:
        path = sorted(p for p in (shared_data / folder).rglob("*") if p.is_file())[3]
        ds = pydicom.dcmread(path, stop_before_pixels=True)
        found = attributes_of(dataset_bytes(path.read_bytes()), ds.file_meta.TransferSyntaxUID)
        for tag, wanted in by_pydicom(ds).items():
            if int(tag[:4], 16) % 2 == 0 and wanted.get("vr") != "SQ":
                assert found.get(tag) == wanted, (folder, tag)


def test_bulk_is_left_out() -> None:
    ds = small_ct()
    ds.add_new(0x00091001, "OB", b"x" * (MAX_VALUE_BYTES + 2))
    ds.add_new(0x00091002, "OB", b"xy")
    found = attributes_of(encoded(ds), ExplicitVRLittleEndian)
    assert "00091001" not in found
    assert found["00091002"] == {"vr": "OB", "InlineBinary": "eHk="}
    assert not any(tag.startswith("7FE0") for tag in found)


def test_a_header_that_does_not_end_stays_in_the_file() -> None:
    """It would be read again for each page that names the study."""
    ds = small_ct()
    block = b"".join(
        struct.pack("<HH2sH2s", group, 0x1000 + number, b"SH", 2, b"ab")
        for group in (0x0009, 0x0011)
        for number in range(20_000)
    )
    data = encoded(ds)
    at = data.index(b"\x10\x00\x10\x00PN")
    found = attributes_of(data[:at] + block + data[at:], ExplicitVRLittleEndian)
    assert len(found) < 20_000
    assert found["0020000E"] == {"vr": "UI", "Value": [ds.SeriesInstanceUID]}


@pytest.mark.parametrize(
    ("vr", "raw", "wanted"),
    [
        (b"DS", b"1.5\\-2 ", {"vr": "DS", "Value": [1.5, -2.0]}),
        (b"DS", b"nan", {"vr": "DS", "Value": ["nan"]}),
        (b"IS", b"1A", {"vr": "IS", "Value": ["1A"]}),
        (b"IS", b"9" * 400, {"vr": "IS", "Value": ["9" * 400]}),
        (b"FD", b"\0" * 6 + b"\xf0\x7f", {"vr": "FD", "Value": ["inf"]}),
        (b"AT", b"\x18\x00\x10\x00", {"vr": "AT", "Value": ["00180010"]}),
        (b"US", b"\x01\x00\x02\x00", {"vr": "US", "Value": [1, 2]}),
        (b"CS", b"A\\\\B ", {"vr": "CS", "Value": ["A", None, "B"]}),
        (b"LO", b"", {"vr": "LO"}),
        (b"LT", b"a\\b\0", {"vr": "LT", "Value": ["a\\b"]}),
        (b"PN", b"A^B=C", {"vr": "PN", "Value": [{"Alphabetic": "A^B", "Ideographic": "C"}]}),
        (b"LO", b"\xff\xfe", None),
    ],
)
def test_values(vr: bytes, raw: bytes, wanted: dict[str, object] | None) -> None:
    found = json_of_value(vr, raw, "<", ("ISO_IR 192",))
    json.dumps(found, allow_nan=False)
    assert wanted is None or found == wanted


def test_a_wrong_character_set_is_no_error() -> None:
    assert json_of_value(b"LO", b"\xe4", "<", ("NOT_A_SET",))["vr"] == "LO"


def test_a_header_that_is_cut_short_is_refused() -> None:
    data = encoded(small_ct())
    with pytest.raises(UnreadableDataset):
        attributes_of(data[:301], ExplicitVRLittleEndian)


@pytest.mark.parametrize(
    ("tag", "signed", "vr"),
    [
        (0x00090010, False, b"LO"),  # names the owner of a private block
        (0x000900FF, False, b"LO"),
        (0x00090100, False, b"UN"),
        (0x00091001, False, b"UN"),
        (0x00280106, False, b"US"),
        (0x00280106, True, b"SS"),
        (0x7FE00010, False, b"OW"),
        (0x00100010, False, b"PN"),
        (0x00080002, False, b"UN"),
    ],
)
def test_the_vr_of_an_implicit_element(tag: int, signed: bool, vr: bytes) -> None:
    assert implicit_vr(tag, signed) == vr
