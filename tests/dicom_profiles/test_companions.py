from __future__ import annotations

from pathlib import Path

import pydicom
import pytest
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from dicom_profiles.companions import CompanionKind, references
from dicom_profiles.provenance import Derivation
from tests.dicom_profiles.conftest import Written, write_all
from tests.dicom_profiles.validators import dciodvfy_errors
from tests.synthetic import write_ct_series

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


@pytest.mark.parametrize(
    ("characters", "name"),
    [
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동"),
        ("ISO_IR 192", "Wang^XiaoDong=王^小东"),
        ("GB18030", "Wang^XiaoDong=王^小东"),
    ],
)
def test_names_keep_their_characters(
    tmp_path: Path, derivation: Derivation, characters: str | list[str], name: str
) -> None:
    attributes = {"SpecificCharacterSet": characters, "PatientName": name}
    paths = write_ct_series(tmp_path / "in", slices=3, **attributes)  # type: ignore[arg-type]
    made = write_all(tmp_path / "out", paths, derivation)
    for path in made.paths:
        ds = pydicom.dcmread(path)
        assert (ds.PatientName, ds.SpecificCharacterSet) == (name, characters)
        assert dciodvfy_errors(path) == []


@pytest.mark.filterwarnings("ignore:Unknown encoding")
@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("StudyTime", b"10:15:00"),
        ("StudyDate", b"2025.03.10"),
        ("SpecificCharacterSet", b"ISO_IR 7000"),
        ("PatientSex", b"MALE"),
        ("PatientBirthDate", b"unknown "),
    ],
)
def test_what_a_source_has_wrong_is_copied_and_stops_nothing(
    tmp_path: Path, derivation: Derivation, keyword: str, value: bytes
) -> None:
    paths = write_ct_series(tmp_path / "in", slices=3)
    for path in paths:
        ds = pydicom.dcmread(path)
        tag = Tag(keyword)
        vr = pydicom.datadict.dictionary_VR(tag)
        ds[tag] = RawDataElement(tag, vr, len(value), value, 0, False, True)
        ds.save_as(path)
    made = write_all(tmp_path / "out", paths, derivation)
    for path in made.paths:
        element = pydicom.dcmread(path).get_item(keyword)
        assert element is not None
        raw = element.value
        text = raw.decode() if isinstance(raw, bytes) else str(raw)
        assert text.strip() == value.decode().strip()
