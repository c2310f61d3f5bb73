from __future__ import annotations

import pytest
from pydicom.datadict import dictionary_VR, tag_for_keyword

from dicom_profiles.deidentification.confidentiality import action_of


def action(keyword: str, attribute_type: str = "3") -> str:
    """What is done to an attribute of the standard."""
    tag = tag_for_keyword(keyword)
    assert tag is not None
    return action_of(tag, dictionary_VR(tag), attribute_type)


@pytest.mark.parametrize(
    ("keyword", "attribute_type", "wanted"),
    [
        ("PatientName", "2", "empty"),
        ("PatientBirthDate", "2", "empty"),
        ("InstitutionName", "3", "remove"),
        ("SOPInstanceUID", "1", "uid"),
        ("FrameOfReferenceUID", "1", "uid"),
        ("Modality", "1", "keep"),
        ("KVP", "2", "keep"),
        ("RescaleSlope", "1", "keep"),
        ("PixelData", "1", "keep"),
    ],
)
def test_the_table_of_the_standard(keyword: str, attribute_type: str, wanted: str) -> None:
    assert action(keyword, attribute_type) == wanted


def test_the_iod_decides_between_alternatives() -> None:
    """Series Date is X/D: what must have a value gets another one, what need not goes."""
    assert [action("SeriesDate", kind) for kind in "123"] == ["dummy", "empty", "remove"]


@pytest.mark.parametrize("tag", [0x00191008, 0x60003000, 0x60023000, 0x50000005])
def test_private_elements_and_graphics_go(tag: int) -> None:
    assert action_of(tag, "OW", "3") == "remove"


@pytest.mark.parametrize(
    ("vr", "wanted"), [("PN", "remove"), ("LT", "remove"), ("UI", "uid"), ("DS", "keep")]
)
def test_outside_the_table_the_kind_of_value_decides(vr: str, wanted: str) -> None:
    assert action_of(0x00209FFF, vr, "3") == wanted
