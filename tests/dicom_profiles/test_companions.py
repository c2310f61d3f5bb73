from __future__ import annotations

import pydicom

from dicom_profiles.companions import CompanionKind, references
from tests.dicom_profiles.conftest import Written

ONE = CompanionKind("ONE", 1, "one")


def test_each_companion_has_a_series_of_its_own(written: Written) -> None:
    series = {written.images.series_instance_uid, written.report.series_instance_uid,
              written.label.series_instance_uid, written.source.series_instance_uid}  # fmt: skip
    assert len(series) == 4
    assert ONE.series_uid("1.2") == ONE.series_uid("1.2") != ONE.series_uid("1.3")


def test_companions_sort_after_the_images(written: Written) -> None:
    numbers = [pydicom.dcmread(path).SeriesNumber for path in written.paths[-3:]]
    assert numbers == [93_003, 97_003, 98_003]


def test_the_scanner_stays_the_acquisition_equipment(written: Written) -> None:
    for path in (*written.report.paths, *written.label.paths):
        items = pydicom.dcmread(path).ContributingEquipmentSequence
        assert [item.Manufacturer for item in items] == ["PHANTOM WORKS", "Virtual Scanner"]


def test_references_name_class_and_instance() -> None:
    (item,) = references("1.2.840.10008.5.1.4.1.1.2", ["1.2.3"])
    assert item.ReferencedSOPClassUID.name == "CT Image Storage"
    assert item.ReferencedSOPInstanceUID == "1.2.3"
