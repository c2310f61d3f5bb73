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


def test_what_the_source_lacks_of_type_2_is_empty_and_there() -> None:
    empty = inherited.empty_ct_elements(write_ct_dataset())
    wanted = {*inherited.EMPTY_WHEN_ABSENT, *inherited.EMPTY_IN_CT_WHEN_ABSENT}
    assert wanted <= {element.keyword for element in empty}
    assert all(element.is_empty for element in empty)


def test_what_fusion_and_the_study_depend_on_is_taken() -> None:
    assert inherited.tags(("StudyInstanceUID", "PatientID", "AccessionNumber")) <= (
        inherited.STUDY_TAGS
    )
    assert inherited.tags(("ImagePositionPatient", "InstanceNumber", "KVP")) <= inherited.SLICE_TAGS


@pytest.mark.parametrize(
    ("body_part", "wanted"), [("CHEST", False), ("KNEE", True), (None, True), ("", True)]
)
def test_laterality_is_there_where_it_may_matter(body_part: str | None, wanted: bool) -> None:
    empty = inherited.empty_ct_elements(write_ct_dataset(BodyPartExamined=body_part))
    assert ("Laterality" in empty) is wanted
    assert "KVP" in empty
    assert "KVP" not in inherited.empty_elements(write_ct_dataset())
