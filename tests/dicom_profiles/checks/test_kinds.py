from __future__ import annotations

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import ParametricMapStorage, SegmentationStorage

from dicom_profiles.checks.kinds import IMAGE_KINDS, KIND_OF_CLASS, kind_of, own_findings
from tests.dicom_profiles.conftest import Written


def of_class(uid: str) -> Dataset:
    """An object of a class, without a provenance block."""
    ds = Dataset()
    ds.SOPClassUID = uid
    return ds


def test_an_image_says_its_kind_and_companions_have_none(written: Written) -> None:
    kinds = [
        kind_of(pydicom.dcmread(one.paths[0]))
        for one in (written.images, written.report, written.label)
    ]
    assert kinds == ["DEN", "", ""]


def test_what_carries_no_block_is_known_by_its_class() -> None:
    assert [kind_of(of_class(uid)) for uid in (SegmentationStorage, ParametricMapStorage)] == [
        "SEG",
        "PM",
    ]
    assert not set(KIND_OF_CLASS.values()) & set(IMAGE_KINDS)


def test_a_kind_gets_its_own_checks(written: Written) -> None:
    image = pydicom.dcmread(written.images.paths[0])
    assert own_findings(image, written.sources) == []
    image.ImageType = ["DERIVED", "SECONDARY", "AXIAL"]
    (sentence,) = own_findings(image, written.sources)
    assert "AI_DENOISED" in sentence
    assert own_findings(of_class(SegmentationStorage), written.sources) == []


def test_a_kind_of_image_without_checks_does_not_pass(written: Written) -> None:
    image = pydicom.dcmread(written.images.paths[0])
    image[0x00991002].value = "NEW"
    (sentence,) = own_findings(image, written.sources)
    assert "'NEW'" in sentence
    assert "checks/kinds.py" in sentence
