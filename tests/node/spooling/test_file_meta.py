from __future__ import annotations

import io
import struct
from dataclasses import replace

import pydicom
import pytest

from dicom_profiles.equipment import IMPLEMENTATION_CLASS_UID
from node.spooling.errors import UnreadableDataset
from node.spooling.file_meta import read_file_meta, write_file_meta
from tests.node.datasets import encoded, facts_of, small_ct


def test_pydicom_reads_what_we_put_in_front() -> None:
    ds = small_ct()
    part10 = write_file_meta(facts_of(ds)) + encoded(ds)
    meta = pydicom.dcmread(io.BytesIO(part10)).file_meta
    assert meta.MediaStorageSOPInstanceUID == ds.SOPInstanceUID
    assert meta.TransferSyntaxUID == ds.file_meta.TransferSyntaxUID
    assert meta.ImplementationClassUID == IMPLEMENTATION_CLASS_UID
    assert meta.SourceApplicationEntityTitle == "PACS"
    assert meta.SendingApplicationEntityTitle == "PACS"
    assert meta.ReceivingApplicationEntityTitle == "VSCANNER"


@pytest.mark.parametrize(("uid", "padded"), [("1.2.3", b"1.2.3\0"), ("1.2.34", b"1.2.34")])
def test_values_have_an_even_length(uid: str, padded: bytes) -> None:
    """PS3.5 6.2: a UID is padded with NUL, other text with a space."""
    facts = replace(facts_of(small_ct()), sop_instance_uid=uid, source_ae="ODD", receiving_ae="Ü")
    part10 = write_file_meta(facts)
    assert b"UI" + struct.pack("<H", len(padded)) + padded in part10
    assert b"AE\x04\0ODD " in part10
    assert b"AE\x02\0? " in part10
    assert struct.unpack("<L", part10[140:144]) == (len(part10) - 144,)


def test_it_is_read_back() -> None:
    ds = small_ct()
    part10 = write_file_meta(facts_of(ds)) + encoded(ds)
    meta = read_file_meta(part10, len(part10))
    assert (meta.sop_instance_uid, meta.source_ae) == (ds.SOPInstanceUID, "PACS")
    assert part10[meta.end :] == encoded(ds)


@pytest.mark.parametrize("length", [0, 100, 140, 160, 300])
def test_a_file_that_is_cut_short_is_refused(length: int) -> None:
    part10 = write_file_meta(facts_of(small_ct()))[:length]
    with pytest.raises(UnreadableDataset):
        read_file_meta(part10, len(part10))


@pytest.mark.parametrize("length", [0, 40, 4096])
def test_file_meta_that_lies_about_its_length_is_refused(length: int) -> None:
    part10 = write_file_meta(facts_of(small_ct())) + encoded(small_ct())
    lying = part10[:140] + struct.pack("<L", length) + part10[144:]
    with pytest.raises(UnreadableDataset):
        read_file_meta(lying, len(lying))
