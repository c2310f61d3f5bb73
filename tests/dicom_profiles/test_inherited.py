from __future__ import annotations

import pytest

from dicom_profiles import inherited
from tests.synthetic import write_ct_dataset

# Attributes that would lie about an object which another device made at another time.
NEVER = (
    "SOPInstanceUID",
    "SeriesInstanceUID",
    "Manufacturer",
    "ManufacturerModelName",
    "InstitutionName",
    "OperatorsName",
    "PerformingPhysicianName",
    "PerformedProcedureStepStartDate",
    "PerformedProcedureStepID",
    "ReferencedPerformedProcedureStepSequence",
    "RequestAttributesSequence",
    "IconImageSequence",
    "DigitalSignaturesSequence",
    "OriginalAttributesSequence",
    "SmallestImagePixelValue",
    "LargestImagePixelValue",
    "RetrieveAETitle",
    "ImageType",
    "SeriesDate",
)


def test_nothing_is_inherited_that_would_lie() -> None:
    taken = inherited.STUDY_TAGS | inherited.SLICE_TAGS
    assert taken.isdisjoint(inherited.tags(NEVER))
    assert not any(tag.is_private for tag in taken)


def test_an_unknown_keyword_is_an_error() -> None:
    with pytest.raises(KeyError):
        inherited.tags(("NoSuchKeyword",))


@pytest.mark.parametrize(
    ("body_part", "wanted"), [("CHEST", False), ("KNEE", True), (None, True), ("", True)]
)
def test_laterality_is_there_where_it_may_matter(body_part: str | None, wanted: bool) -> None:
    empty = inherited.empty_ct_elements(write_ct_dataset(BodyPartExamined=body_part))
    assert ("Laterality" in empty) is wanted
    assert "KVP" in empty
    assert "KVP" not in inherited.empty_elements(write_ct_dataset())
