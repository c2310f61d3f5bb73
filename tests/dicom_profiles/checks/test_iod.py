from __future__ import annotations

import pytest
from pydicom.uid import Comprehensive3DSRStorage, CTImageStorage

from dicom_profiles.checks.iod import missing_attributes, required_attributes
from tests.synthetic import write_ct_dataset


def test_a_phantom_lacks_nothing() -> None:
    assert missing_attributes(write_ct_dataset()) == []


@pytest.mark.parametrize("keyword", ["KVP", "ImageType", "PatientName", "RescaleSlope"])
def test_a_missing_attribute_is_named(keyword: str) -> None:
    ds = write_ct_dataset()
    del ds[keyword]
    assert missing_attributes(ds) == [keyword]


def test_type_1_needs_a_value_and_type_2_does_not() -> None:
    ds = write_ct_dataset(KVP="", ImageType=[])
    assert missing_attributes(ds) == ["ImageType"]


def test_the_tables_of_the_standard_are_there() -> None:
    assert len(required_attributes(CTImageStorage)) > 30
    assert len(required_attributes(Comprehensive3DSRStorage)) > 20
    assert required_attributes("1.2.3") == ()
