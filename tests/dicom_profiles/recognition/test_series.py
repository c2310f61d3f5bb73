from __future__ import annotations

from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    EnhancedMRImageStorage,
    MRImageStorage,
)

from dicom_profiles.codes import DENOISED, SYNTHESIZING_EQUIPMENT, code_sequence
from dicom_profiles.equipment import INSTANCE_CREATOR_UID, MANUFACTURER, NODE_DEVICE_UID
from dicom_profiles.provenance import PRIVATE_CREATOR, private_block
from dicom_profiles.reading import group_series, read_instances
from dicom_profiles.recognition.series import (
    is_synthetic,
    not_a_slice,
    not_plain,
    recognise_low_dose_ct,
    synthetic_signs,
    without_localizers,
)
from dicom_profiles.sources.series import SourceInstance
from tests.dicom_profiles.conftest import Written
from tests.synthetic import write_ct_dataset

PLAIN: dict[str, Any] = {
    "SeriesDescription": "CHEST 3.0",
    "ProtocolName": "Chest",
    "Exposure": "110",
    "CTDIvol": 8.0,
}
NO_CHEST = {
    "SeriesDescription": "ABD",
    "ProtocolName": "ABD",
    "BodyPartExamined": "ABDOMEN",
    "StudyDescription": "CT",
}


def ct(**attributes: Any) -> Dataset:
    return write_ct_dataset(**{**PLAIN, **attributes})


SCORES: list[tuple[dict[str, Any], str, float]] = [
    ({}, "ct", 0.0),
    ({"SeriesDescription": "Low Dose Images"}, "low_dose_ct", 0.5),
    ({"SeriesDescription": "LDCT 1.0"}, "low_dose_ct", 0.5),
    ({"ProtocolName": "LungScreening"}, "low_dose_ct", 0.5),
    ({"SeriesDescription": "Full Dose Images"}, "ct", 0.0),
    ({"SeriesDescription": "slow dosage"}, "ct", 0.0),
    ({"CTDIvol": 2.9}, "ct", 0.4),
    ({"CTDIvol": 2.9, "Exposure": "40"}, "low_dose_ct", 0.6),
    ({"CTDIvol": 2.9, **NO_CHEST}, "ct", 0.0),
    ({"CTDIvol": 3.0}, "ct", 0.4),
    ({"CTDIvol": 3.01}, "ct", 0.0),
    ({"CTDIvol": 0.0, "Exposure": "0"}, "ct", 0.0),
    ({"Exposure": "40"}, "ct", 0.2),
    ({"Exposure": "41"}, "ct", 0.0),
    ({"SeriesDescription": "CT", "StudyDescription": "lung screening"}, "low_dose_ct", 0.5),
    ({"Exposure": "18", "CTDIvol": 1.2, "SeriesDescription": "LOW DOSE"}, "low_dose_ct", 1.0),
    ({"CTDIvol": None, "Exposure": None}, "ct", 0.0),
]  # fmt: skip


@pytest.mark.parametrize(("attributes", "kind", "score"), SCORES)
def test_low_dose_is_a_sum_of_signs(attributes: dict[str, Any], kind: str, score: float) -> None:
    found = recognise_low_dose_ct([ct(**attributes)] * 3)
    assert (found.kind, found.confidence) == (kind, score)
    assert found.reasons


CORONAL = ["1", "0", "0", "0", "0", "-1"]
NOT_SLICES: list[tuple[dict[str, Any], str]] = [
    ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "localizer"),
    ({"ImageType": ["ORIGINAL", "PRIMARY", "SCOUT"]}, "localizer"),
    ({"ImageType": ["DERIVED", "SECONDARY", "AXIAL"]}, "reformat"),
    ({"ImageOrientationPatient": CORONAL}, "reformat"),
    ({"ImageOrientationPatient": None}, "reformat"),
    ({"Modality": "MR"}, "other"),
    ({"SOPClassUID": pydicom.uid.SecondaryCaptureImageStorage}, "other"),
    ({"SyntheticData": "YES"}, "synthetic"),
]


@pytest.mark.parametrize(("attributes", "kind"), NOT_SLICES)
def test_one_odd_instance_decides(attributes: dict[str, Any], kind: str) -> None:
    headers = [ct(SeriesDescription="LOW DOSE", **attributes)] * 2
    assert recognise_low_dose_ct(headers).kind == kind


def test_a_localizer_hidden_in_a_series_is_seen() -> None:
    headers = [ct(), ct(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])]
    assert recognise_low_dose_ct(headers).kind == "localizer"
    instances = [SourceInstance(Path(), header) for header in headers]
    slices, localizers = without_localizers(instances)
    assert slices == instances[:1]
    assert localizers == [(instances[1], "Image Type says LOCALIZER.")]


def test_one_synthetic_instance_hidden_in_a_series_is_seen() -> None:
    found = recognise_low_dose_ct([ct(), ct(), ct(SyntheticData="YES")])
    assert found.kind == "synthetic"
    assert found.reasons == ("Synthetic Data (0008,001C) is YES.",)


def test_multi_frame_images_of_the_modality_are_told_from_others() -> None:
    """A scanner set to Enhanced MR sends MR; what it should send instead is said."""
    image = Dataset()
    image.Modality, image.SOPClassUID = "MR", EnhancedMRImageStorage
    assert not_plain(image, MRImageStorage) == (
        "The instances are multi-frame (Enhanced MR Image Storage); send the series as classic "
        "single-frame images."
    )
    assert not_plain(image, CTImageStorage) == "The instances are no CT images (CT Image Storage)."
    image.SOPClassUID = MRImageStorage
    assert not_plain(image, MRImageStorage) == ""
    enhanced = recognise_low_dose_ct([ct(SOPClassUID=EnhancedCTImageStorage)])
    assert enhanced.kind == "other"
    assert "multi-frame" in enhanced.reasons[0]


def test_no_instances_are_nothing() -> None:
    assert recognise_low_dose_ct([]).kind == "other"


def test_an_axial_original_is_a_slice() -> None:
    assert not_a_slice(ct()) == ""


def with_equipment(ds: Dataset) -> None:
    item = Dataset()
    item.PurposeOfReferenceCodeSequence = code_sequence([SYNTHESIZING_EQUIPMENT])
    ds.ContributingEquipmentSequence = Sequence([Dataset(), item])


def with_device(ds: Dataset) -> None:
    ds.DeviceUID = NODE_DEVICE_UID


def with_creator(ds: Dataset) -> None:
    ds.InstanceCreatorUID = INSTANCE_CREATOR_UID


def with_manufacturer(ds: Dataset) -> None:
    ds.Manufacturer = MANUFACTURER


def with_image_type(ds: Dataset) -> None:
    ds.ImageType = ["DERIVED", "SECONDARY", "AXIAL", "", "SYNTHETIC"]


def with_code(ds: Dataset) -> None:
    ds.DerivationCodeSequence = code_sequence([DENOISED])


def with_block(ds: Dataset) -> None:
    ds.update(private_block({"kind": "DEN"}))


def with_moved_block(ds: Dataset) -> None:
    """PS3.5 7.8.1: another device may have moved our private block to another number."""
    ds.add_new(0x00990011, "LO", PRIVATE_CREATOR)


def with_synthetic_data(ds: Dataset) -> None:
    ds.SyntheticData = "YES"


@pytest.mark.parametrize(
    "sign",
    [with_synthetic_data, with_equipment, with_device, with_creator, with_manufacturer,
     with_image_type, with_code, with_block, with_moved_block],
)  # fmt: skip
def test_each_sign_alone_betrays_a_synthetic_object(sign: object) -> None:
    ds = ct()
    assert not is_synthetic(ds)
    assert callable(sign)
    sign(ds)
    assert len(synthetic_signs(ds)) == 1
    assert is_synthetic(ds)


@pytest.mark.parametrize("term", ["SYNTHETIC", "AI_DENOISED", "SYNTHETIC_CT", "SYNTHETIC_PET"])
def test_every_term_that_others_write_is_known(term: str) -> None:
    assert is_synthetic(ct(ImageType=["DERIVED", "SECONDARY", term]))


def test_equipment_with_a_code_of_another_scheme_made_nothing_synthetic() -> None:
    ds = ct()
    with_equipment(ds)
    code = ds.ContributingEquipmentSequence[1].PurposeOfReferenceCodeSequence[0]
    code.CodingSchemeDesignator = "99OTHER"
    assert not is_synthetic(ds)


def test_text_alone_makes_nothing_synthetic() -> None:
    assert not is_synthetic(ct(SeriesDescription="SYNTHETIC DENOISED", SyntheticData="NO"))


def test_what_we_write_shows_all_five_signs(written: Written) -> None:
    for path in written.images.paths:
        assert len(synthetic_signs(pydicom.dcmread(path))) == 5
    for path in (*written.report.paths, *written.label.paths):
        assert len(synthetic_signs(pydicom.dcmread(path))) >= 3


def test_no_real_series_is_taken_for_synthetic_or_low_dose(shared_data: Path) -> None:
    folders = [path for path in sorted(shared_data.iterdir()) if path.name[:3] in ("ct_", "mr_")]
    assert folders
    for folder in folders:
        for group in group_series(read_instances(folder, required=()).instances).values():
            headers = [instance.header for instance in group]
            found = recognise_low_dose_ct(headers)
            assert found.kind in ("ct", "other"), folder.name
            assert not any(map(is_synthetic, headers)), folder.name
