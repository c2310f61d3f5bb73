from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage

from dicom_profiles.errors import DerivedObjectError
from dicom_profiles.rejection_note import RejectedSeries, Rejection, write_rejection_note
from tests.dicom_profiles.validators import dciodvfy_errors, strict_faults

REPORT = "1.2.840.10008.5.1.4.1.1.88.34"
LABEL = "1.2.840.10008.5.1.4.1.1.11.1"
REJECTION = Rejection(
    "quality", "The model was recalled.", datetime(2026, 11, 21, 12, tzinfo=UTC), "VSCANNER"
)
SERIES = [
    RejectedSeries(
        "1.2.840.99999.3",
        ((CTImageStorage, "1.2.840.99999.3.1"), (CTImageStorage, "1.2.840.99999.3.2")),
    ),
    RejectedSeries("1.2.840.99999.4", ((REPORT, "1.2.840.99999.4.1"),)),
    RejectedSeries("1.2.840.99999.5", ((LABEL, "1.2.840.99999.5.1"),)),
    RejectedSeries("1.2.840.99999.6", ()),
]


@pytest.fixture
def study() -> Dataset:
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.StudyInstanceUID = "1.2.840.99999.2"
    ds.PatientName, ds.PatientID = "Phantöm^CT", "P1"
    return ds


def test_it_names_every_instance_once(study: Dataset, tmp_path: Path) -> None:
    path = write_rejection_note(study, SERIES, REJECTION, tmp_path)
    note = pydicom.dcmread(path)
    assert dciodvfy_errors(path) == []
    strict_faults(path)
    assert (note.Modality, note.StudyInstanceUID) == ("KO", "1.2.840.99999.2")
    assert (str(note.PatientName), note.PatientID) == ("Phantöm^CT", "P1")
    title = note.ConceptNameCodeSequence[0]
    assert (title.CodeValue, title.CodingSchemeDesignator) == ("113001", "DCM")
    assert note.SeriesDescription == title.CodeMeaning == "Rejected for Quality Reasons"
    (template,) = note.ContentTemplateSequence
    assert (template.MappingResource, template.TemplateIdentifier) == ("DCMR", "2010")
    assert (note.InstanceNumber, note.TimezoneOffsetFromUTC) == (1, "+0000")
    assert note.SoftwareVersions
    (evidence,) = note.CurrentRequestedProcedureEvidenceSequence
    listed = {
        one.ReferencedSOPInstanceUID
        for series in evidence.ReferencedSeriesSequence
        for one in series.ReferencedSOPSequence
    }
    pointers = [item for item in note.ContentSequence if "ReferencedSOPSequence" in item]
    shown = {item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for item in pointers}
    assert (
        shown
        == listed
        == {"1.2.840.99999.3.1", "1.2.840.99999.3.2", "1.2.840.99999.4.1", "1.2.840.99999.5.1"}
    )
    assert [item.ValueType for item in pointers] == ["IMAGE", "IMAGE", "COMPOSITE", "COMPOSITE"]
    assert not any("ConceptNameCodeSequence" in item for item in pointers)


def test_a_repeat_gives_the_same_bytes(study: Dataset, tmp_path: Path) -> None:
    paths = [write_rejection_note(study, SERIES, REJECTION, tmp_path / name) for name in ("a", "b")]
    assert paths[0].name == paths[1].name
    assert paths[0].read_bytes() == paths[1].read_bytes()
    safety = replace(REJECTION, reason="safety")
    other = pydicom.dcmread(write_rejection_note(study, SERIES, safety, tmp_path))
    title = other.ConceptNameCodeSequence[0]
    assert (title.CodeValue, title.CodingSchemeDesignator) == ("113037", "DCM")
    assert other.SOPInstanceUID != paths[0].stem


@pytest.mark.parametrize(
    ("series", "rejection", "sentence"),
    [
        (SERIES[3:], REJECTION, "needs instances to reject"),
        (SERIES, replace(REJECTION, reason="mood"), "reason of quality, safety, got 'mood'"),
    ],
)
def test_what_cannot_be_written(
    study: Dataset,
    tmp_path: Path,
    series: list[RejectedSeries],
    rejection: Rejection,
    sentence: str,
) -> None:
    with pytest.raises(DerivedObjectError, match=sentence):
        write_rejection_note(study, series, rejection, tmp_path)
    assert list(tmp_path.iterdir()) == []
