from __future__ import annotations

import io
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from dicom_profiles.deidentification.image import (
    IdentityError,
    deidentified,
    encoded,
    identity_left,
    why_not_kept,
)
from dicom_profiles.deidentification.pseudonyms import Pseudonyms
from dicom_profiles.equipment import IMPLEMENTATION_CLASS_UID
from dicom_profiles.suv import suv_scale
from tests.dicom_profiles.validators import dcentvfy_errors, dciodvfy_errors
from tests.synthetic import write_ct_series

PSEUDONYMS = Pseudonyms(b"s" * 32)
NAMED = {
    "PatientName": "Quillfeather^Ottoline",
    "PatientID": "MRN-7741239",
    "OtherPatientIDs": "OLD-88123",
    "PatientBirthDate": "19610214",
    "PatientAddress": "12 Larkspur Lane",
    "PatientTelephoneNumbers": "5550199",
    "AccessionNumber": "ACC-553311",
    "ReferringPhysicianName": "Wexcombe^Ada",
    "OperatorsName": "Drumlin^Bo",
    "InstitutionName": "St Perran Infirmary",
    "StationName": "CTROOM7",
    "DeviceSerialNumber": "SER-90909",
    "StudyDescription": "CT for Quillfeather",
    "SeriesDescription": "Low dose, Dr Wexcombe",
    "ImageComments": "patient Ottoline moved",
    "ProtocolName": "Perran chest",
    "RequestingService": "Ward Larkspur",
    "DetectorDescription": "the one of Drumlin, bed 90909",  # not in the profile's table
}
WORDS = (
    *("Quillfeather", "Ottoline", "7741239", "88123", "19610214", "Larkspur", "5550199"),
    *("553311", "Wexcombe", "Drumlin", "Perran", "CTROOM7", "90909", "20250310"),
)


def named(ds: Dataset) -> Dataset:
    for keyword, value in NAMED.items():
        setattr(ds, keyword, value)
    request = Dataset()
    request.RequestingPhysician = "Wexcombe^Ada"
    request.AccessionNumber = "ACC-553311"
    request.RequestedProcedureDescription = "chest of Quillfeather"
    ds.RequestAttributesSequence = Sequence([request])
    image = Dataset()
    image.ReferencedSOPClassUID = ds.SOPClassUID
    image.ReferencedSOPInstanceUID = ds.SOPInstanceUID
    ds.SourceImageSequence = Sequence([image])
    block = ds.private_block(0x0019, "VENDOR", create=True)
    block.add_new(0x02, "LO", "Quillfeather")
    ds.add_new(0x60000022, "LO", "Ottoline")
    ds.file_meta.SourceApplicationEntityTitle = "CTROOM7"
    return ds


@pytest.fixture
def source(tmp_path: Path) -> list[Dataset]:
    paths = write_ct_series(tmp_path / "in", slices=3)
    return [named(pydicom.dcmread(path)) for path in paths]


def test_nothing_of_the_person_is_in_any_byte(source: list[Dataset]) -> None:
    for ds in source:
        content = encoded(deidentified(ds, PSEUDONYMS))
        lower = content.lower()
        assert not [word for word in WORDS if word.lower().encode() in lower]
        uids = {str(e.value) for e in ds.iterall() if e.VR == "UI" and e.value}
        own = {uid for uid in uids if not uid.startswith("1.2.840.10008.")}
        assert len(own) >= 4
        assert not [uid for uid in own if uid.encode() in content]


def test_what_is_kept_is_valid_and_shows_the_same_pixels(
    source: list[Dataset], tmp_path: Path
) -> None:
    paths = []
    for index, ds in enumerate(source):
        path = tmp_path / f"{index}.dcm"
        path.write_bytes(encoded(deidentified(ds, PSEUDONYMS)))
        assert dciodvfy_errors(path) == []
        kept = pydicom.dcmread(path)
        np.testing.assert_array_equal(kept.pixel_array, ds.pixel_array)
        for keyword in ("KVP", "ConvolutionKernel", "ImagePositionPatient", "Exposure", "CTDIvol"):
            assert kept[keyword].value == ds[keyword].value
        paths.append(path)
    assert dcentvfy_errors(paths) == []


def test_it_says_what_was_done(source: list[Dataset]) -> None:
    done = deidentified(source[0], PSEUDONYMS)
    assert done.PatientIdentityRemoved == "YES"
    assert done.LongitudinalTemporalInformationModified == "REMOVED"
    assert [item.CodeValue for item in done.DeidentificationMethodCodeSequence] == ["113100"]
    assert done.PatientID == done.PatientName == PSEUDONYMS.patient("MRN-7741239")
    assert not [element for element in done.iterall() if element.tag.is_private]


def test_uids_stay_consistent_and_depend_on_the_salt(source: list[Dataset]) -> None:
    done = [deidentified(ds, PSEUDONYMS) for ds in source]
    assert len({ds.SeriesInstanceUID for ds in done}) == 1
    assert len({ds.SOPInstanceUID for ds in done}) == 3
    for ds in done:
        assert ds.file_meta.MediaStorageSOPInstanceUID == ds.SOPInstanceUID
        assert ds.file_meta.ImplementationClassUID == IMPLEMENTATION_CLASS_UID
        assert "SourceImageSequence" not in ds
        assert len(ds.SOPInstanceUID) <= 64
        assert ds.SOPClassUID == source[0].SOPClassUID
    other = deidentified(source[0], Pseudonyms(b"t" * 32))
    assert other.SeriesInstanceUID != done[0].SeriesInstanceUID
    assert other.PatientID != done[0].PatientID


@pytest.mark.parametrize(
    ("keyword", "value", "reason"),
    [
        ("BurnedInAnnotation", "YES", "Burned In Annotation"),
        ("SOPClassUID", "1.2.840.10008.5.1.4.1.1.7", "secondary capture"),
        ("SOPClassUID", "1.2.840.10008.5.1.4.1.1.1.2", "does not say NO"),
        ("RecognizableVisualFeatures", "YES", "Recognizable"),
        ("PatientID", "", "Patient ID is empty"),
        ("OverlayBitPosition", 0x60000102, "unused bits"),
        ("OverlayBitPosition", 0x60020102, "unused bits"),
        ("OverlayBitPosition", 0x601E0102, "unused bits"),
    ],
)
def test_pixels_that_may_show_a_person_are_refused(
    source: list[Dataset], keyword: str, value: Any, reason: str
) -> None:
    ds = source[0]
    del ds.BurnedInAnnotation
    if keyword == "OverlayBitPosition":
        ds.add_new(value, "US", 12)
    else:
        setattr(ds, keyword, value)
    assert reason in why_not_kept(ds)
    with pytest.raises(IdentityError, match=reason):
        deidentified(ds, PSEUDONYMS)


def test_a_mammogram_that_says_no_is_kept(source: list[Dataset]) -> None:
    source[0].SOPClassUID = "1.2.840.10008.5.1.4.1.1.1.2"
    source[0].BurnedInAnnotation = "NO"
    assert why_not_kept(source[0]) == ""


def test_a_name_where_nobody_looks_for_it_is_refused(source: list[Dataset]) -> None:
    source[0].ManufacturerModelName = "Scanner of Quillfeather"
    with pytest.raises(IdentityError, match="PatientName"):
        deidentified(source[0], PSEUDONYMS)
    assert identity_left(source[0], source[0])[-1] == "a UID"


def pet() -> Dataset:
    ds = Dataset()
    ds.PatientWeight, ds.Modality, ds.Units = "70", "PT", "BQML"
    ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.128"
    ds.PatientID, ds.PatientBirthDate = "MRN-7741239", "19610214"
    ds.StudyDate, ds.StudyTime = "20250310", "101500"
    ds.SeriesDate, ds.SeriesTime = "20250310", "113000.5"
    ds.AcquisitionDate, ds.AcquisitionTime = "20250310", "113200.5"
    ds.CorrectedImage = ["DECY", "ATTN"]
    ds.DecayCorrection, ds.DecayFactor = "START", "1.0"
    tracer = Dataset()
    tracer.RadiopharmaceuticalStartTime = "103000.500000"
    tracer.RadionuclideTotalDose, tracer.RadionuclideHalfLife = "350000000", "6586.2"
    ds.RadiopharmaceuticalInformationSequence = Sequence([tracer])
    ds.SOPInstanceUID = ds.StudyInstanceUID = ds.SeriesInstanceUID = "1.2.3.4.5"
    ds.file_meta = pydicom.dataset.FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    return ds


def test_a_pet_keeps_its_uptake_and_not_its_day() -> None:
    before = pet()
    after = deidentified(before, PSEUDONYMS)
    assert suv_scale([after]).factor == pytest.approx(suv_scale([before]).factor)
    assert (after.SeriesDate, after.SeriesTime) == ("19000101", "120000")
    assert (after.AcquisitionDate, after.AcquisitionTime) == ("19000101", "120200")
    assert after.RadiopharmaceuticalInformationSequence[0].RadiopharmaceuticalStartTime == "110000"
    assert after.PatientWeight == 70
    assert not after.PatientBirthDate
    assert after.LongitudinalTemporalInformationModified == "MODIFIED"
    written = [item.CodeValue for item in after.DeidentificationMethodCodeSequence]
    assert written == ["113100", "113107", "113108"]
    assert len(encoded(after)) > 0


def test_a_pet_of_two_years_is_refused() -> None:
    ds = pet()
    ds.AcquisitionDate = "20240310"
    with pytest.raises(ValueError, match="months apart"):
        deidentified(ds, PSEUDONYMS)
    del ds.SeriesTime
    with pytest.raises(ValueError, match="Series Date and Series Time"):
        deidentified(ds, PSEUDONYMS)


def test_the_source_stays_as_it_was(source: list[Dataset]) -> None:
    def content(ds: Dataset) -> bytes:
        buffer = io.BytesIO()
        ds.save_as(buffer)
        return buffer.getvalue()

    before = [content(ds) for ds in source]
    for ds in source:
        deidentified(ds, PSEUDONYMS)
    assert all(a == content(b) for a, b in zip(before, source, strict=True))


@pytest.mark.parametrize(
    "name", ["ct_chest_philips_lidc0314", "mr_abdomen_philips_survey", "pet_wholebody_cps_qin0024"]
)
def test_real_images_are_kept_valid(shared_data: Path, tmp_path: Path, name: str) -> None:
    paths = sorted(path for path in (shared_data / name).rglob("*") if path.is_file())
    images = (path for path in paths if pydicom.misc.is_dicom(path))
    for path in itertools.islice(images, 2):
        kept = tmp_path / path.name
        kept.write_bytes(encoded(deidentified(pydicom.dcmread(path), PSEUDONYMS)))
        before = set(dciodvfy_errors(path))
        assert [line for line in dciodvfy_errors(kept) if line not in before] == []
        assert pydicom.dcmread(kept).PixelData == pydicom.dcmread(path).PixelData
