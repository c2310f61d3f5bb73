from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import ImplicitVRLittleEndian

from dicom_profiles.equipment import SOFTWARE_VERSION
from dicom_profiles.errors import DerivedObjectError
from dicom_profiles.provenance import (
    ELEMENTS,
    PRIVATE_CREATOR,
    Derivation,
    Provenance,
    private_block,
    private_tag,
    read_private,
    text_sha256,
)
from dicom_profiles.uids import PROFILE_VERSION
from tests.dicom_profiles.conftest import Written


def test_every_image_carries_the_record_and_its_digest(
    written: Written, derivation: Derivation
) -> None:
    for path in written.images.paths:
        ds = pydicom.dcmread(path)
        text = str(read_private(ds, "record"))
        assert read_private(ds, "record_sha256") == text_sha256(text)
        record = json.loads(text)
        assert record["model"]["weights_sha256"] == derivation.model.weights_sha256
        assert record["model"]["trained_on_simulation"] is True
        assert record["record"]["reasons"] == ["The noise is high."]
        assert record["sources"]["instances"] == 5
        assert record["sources"]["series"] == [written.source.series_instance_uid]
        assert record["created"] == "2026-03-01T22:30:15+00:00"
        assert (record["profile"], record["software"]) == (PROFILE_VERSION, SOFTWARE_VERSION)
        assert read_private(ds, "verdict") == "AMBER"
        assert read_private(ds, "input_distance") == 1.5
        assert (
            read_private(ds, "job_uid") == Provenance.of("DEN", written.sources, derivation).job_uid
        )


def test_no_patient_attribute_is_in_the_record(written: Written, derivation: Derivation) -> None:
    header = written.source.headers[0]
    text = Provenance.of("DEN", written.sources, derivation).text
    for keyword in ("PatientID", "PatientBirthDate", "AccessionNumber"):
        assert str(header.get(keyword)) not in text


def test_the_record_survives_a_receiver_that_does_not_know_it(
    tmp_path: Path, written: Written
) -> None:
    ds = pydicom.dcmread(written.images.paths[0])
    wanted = {name: read_private(ds, name) for name in ELEMENTS}
    ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    ds.save_as(tmp_path / "implicit.dcm", implicit_vr=True, little_endian=True)
    back = pydicom.dcmread(tmp_path / "implicit.dcm")
    assert back[0x00991003].VR == "UN"
    assert {name: read_private(back, name) for name in ELEMENTS} == wanted


@pytest.mark.parametrize("record", [{"noise": float("nan")}, {"noise": object()}])
def test_a_record_that_is_no_json_is_refused(
    written: Written, derivation: Derivation, record: dict[str, Any]
) -> None:
    with pytest.raises(DerivedObjectError, match="plain JSON"):
        Provenance.of("DEN", written.sources, replace(derivation, record=record))


def test_an_object_without_the_block_has_no_record() -> None:
    assert read_private(Dataset(), "record") is None
    assert read_private(private_block({"kind": "DEN"}), "record") is None


def test_the_block_is_found_where_another_device_moved_it() -> None:
    ds = Dataset()
    ds.private_block(0x0099, "ANOTHER", create=True).add_new(0x02, "CS", "LIE")
    ds.private_block(0x0099, PRIVATE_CREATOR, create=True).add_new(0x02, "CS", "DEN")
    assert read_private(ds, "kind") == "DEN"


def test_elements_never_change_their_numbers() -> None:
    """Others read them by number, in what archives keep."""
    names = "schema kind record record_sha256 model weights_sha256 config_sha256"
    names += " source_pixels_sha256 output_pixels_sha256 job_uid use - verdict input_distance"
    numbers = {name: 0x00991000 + n for n, name in enumerate(names.split(), 1) if name != "-"}
    assert {name: private_tag(name) for name in ELEMENTS} == numbers


def test_a_damaged_number_is_none() -> None:
    ds = private_block({"input_distance": 1.5})
    tag = private_tag("input_distance")
    ds[tag] = DataElement(tag, "UN", b"four")
    assert read_private(ds, "input_distance") is None


def test_an_unknown_verdict_is_refused(derivation: Derivation) -> None:
    with pytest.raises(DerivedObjectError, match="GREEN, AMBER, RED, UNGATED"):
        replace(derivation, qc_verdict="FINE")


def test_a_time_without_a_zone_is_refused(derivation: Derivation) -> None:
    with pytest.raises(DerivedObjectError, match="time zone"):
        replace(derivation, created=datetime(2026, 3, 1))  # noqa: DTZ001


def test_what_was_made_without_the_gate_is_another_series(derivation: Derivation) -> None:
    assert derivation.identity == {
        "model": "ldct_denoise",
        "version": "1.0",
        "weights_sha256": "ab" * 32,
        "config_sha256": text_sha256('{"strength":1.0}'),
        "output_sha256": "",
        "verdict": "",
    }
    red = replace(derivation, qc_verdict="RED")
    ungated = replace(derivation, qc_verdict="UNGATED")
    assert derivation.identity == red.identity
    assert derivation.identity != ungated.identity
