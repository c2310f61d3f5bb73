"""What the pages show of a data set, and what they never show."""

from __future__ import annotations

from dataclasses import astuple

import pytest

from node.web.attributes import (
    numbers,
    readable_date,
    series_heading,
    shortened,
    study_heading,
    text,
)
from tests.synthetic import write_ct_dataset


def test_headings_of_a_real_data_set() -> None:
    ds = write_ct_dataset(PatientID="HOSP-0049921", BodyPartExamined="CHEST", StudyDate="20260310")
    attributes = {key: value for key, value in ds.to_json_dict().items() if key != "7FE00010"}
    study = study_heading(attributes)
    assert (study.description, study.date, study.accession_number) == (
        "CT chest",
        "2026-03-10",
        "ACC-1",
    )
    assert study.patient_id == "…9921"
    series = series_heading(attributes)
    assert (series.modality, series.body_part, series.kernel) == ("CT", "CHEST", "B50f")
    shown = " ".join(astuple(study) + astuple(series))
    assert "Phantom" not in shown
    assert "HOSP-0049921" not in shown


def test_absent_and_empty_attributes_read_as_nothing() -> None:
    assert text({}, "StudyDescription") == ""
    assert text({"00081030": {"vr": "LO"}}, "StudyDescription") == ""
    assert text({"00081030": {"vr": "LO", "Value": [None]}}, "StudyDescription") == ""
    assert numbers({}, "ImagePositionPatient") == ()
    for third in (None, "three"):
        odd = {"00200032": {"vr": "DS", "Value": [1.0, 2.0, third]}}
        assert numbers(odd, "ImagePositionPatient") == ()
    assert study_heading({}).description == "Study without description"


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        *(("", ""), ("7", "…"), ("42", "…2"), ("4711", "…11"), ("AB-4711", "…711")),
        ("HOSP-4711", "…4711"),
    ],
)
def test_a_patient_id_is_shortened(given: str, wanted: str) -> None:
    assert shortened(given) == wanted


@pytest.mark.parametrize(("given", "wanted"), [("20260310", "2026-03-10"), ("", ""), ("x", "x")])
def test_dates(given: str, wanted: str) -> None:
    assert readable_date(given) == wanted
