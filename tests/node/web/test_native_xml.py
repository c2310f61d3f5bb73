from __future__ import annotations

import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from node.web.native_xml import NAMESPACE, native_xml
from tests.servers import program


def store_response() -> Dataset:
    """A Store Instances Response Module with each kind of element that ours has."""
    stored, failed = Dataset(), Dataset()
    for item in (stored, failed):
        item.ReferencedSOPClassUID = CTImageStorage
        item.ReferencedSOPInstanceUID = generate_uid()
    failed.FailureReason = 0xC122
    ds = Dataset()
    ds.RetrieveURL = None
    ds.ReferencedSOPSequence = [stored, stored]
    ds.FailedSOPSequence = [failed]
    return ds


def content(element: ElementTree.Element) -> tuple[object, ...]:
    """Name, attributes, text and children, as far as the standard cares."""
    children = tuple(content(child) for child in element)
    text = "" if children else (element.text or "").strip()
    attributes = {name: value for name, value in element.attrib.items() if "space" not in name}
    return element.tag, tuple(sorted(attributes.items())), text, children


@pytest.mark.dcmtk
def test_it_is_what_dcmtk_writes(tmp_path: Path) -> None:
    ds = store_response()
    file = FileDataset("", ds, file_meta=FileMetaDataset(), preamble=b"\0" * 128)
    file.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file.file_meta.MediaStorageSOPClassUID = CTImageStorage
    file.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    file.save_as(tmp_path / "x.dcm", enforce_file_format=True)
    command = [program("dcm2xml"), "--native-format", "--use-xml-namespace"]
    written = subprocess.run(
        [*command, str(tmp_path / "x.dcm")], capture_output=True, check=True
    ).stdout
    theirs = content(ElementTree.fromstring(written))
    assert content(ElementTree.fromstring(native_xml(ds.to_json_dict()))) == theirs


def test_a_special_character_is_written_as_one() -> None:
    document = native_xml({"0008103E": {"vr": "LO", "Value": ["a<b & ü"]}})
    assert document.startswith(b"<?xml version='1.0' encoding='utf-8'?>")
    assert "a&lt;b &amp; ü".encode() in document
    (value,) = ElementTree.fromstring(document).iter(f"{{{NAMESPACE}}}Value")
    assert value.text == "a<b & ü"
