"""What the pages show of DICOM attributes, and nothing more of the patient than they need.

The page is for staff of the site: study description, date, accession number, and at most
the last four characters of the Patient ID to tell two studies apart. The patient's name is never
read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydicom.datadict import tag_for_keyword

ID_CHARACTERS_SHOWN = 4
"""At most; of an ID of fewer than eight characters, half."""


@dataclass(frozen=True)
class StudyHeading:
    """A study in a line."""

    description: str
    date: str  # as in 2026-03-10, or empty
    accession_number: str
    patient_id: str  # shortened


@dataclass(frozen=True)
class SeriesHeading:
    """A series in a line."""

    description: str
    number: str
    modality: str
    body_part: str
    kernel: str
    thickness_mm: str


def text(attributes: Mapping[str, Any], keyword: str) -> str:
    """First value of an attribute in a DICOM JSON object (PS3.18 F.2), or an empty string."""
    tag = tag_for_keyword(keyword)
    values = attributes.get(f"{tag:08X}", {}).get("Value") or [""]
    return "" if values[0] is None else str(values[0])


def numbers(attributes: Mapping[str, Any], keyword: str) -> tuple[float, ...]:
    """All values of a numeric attribute in a DICOM JSON object; none where one is no number."""
    tag = tag_for_keyword(keyword)
    values = attributes.get(f"{tag:08X}", {}).get("Value") or []
    try:
        return tuple(float(value) for value in values)
    except (TypeError, ValueError):  # an empty one of several is null (PS3.18 F.2.5)
        return ()


def study_heading(attributes: Mapping[str, Any]) -> StudyHeading:
    """The heading of the study that an instance belongs to."""
    return StudyHeading(
        description=text(attributes, "StudyDescription") or "Study without description",
        date=readable_date(text(attributes, "StudyDate")),
        accession_number=text(attributes, "AccessionNumber"),
        patient_id=shortened(text(attributes, "PatientID")),
    )


def series_heading(attributes: Mapping[str, Any]) -> SeriesHeading:
    """The heading of the series that an instance belongs to."""
    return SeriesHeading(
        description=text(attributes, "SeriesDescription") or "Series without description",
        number=text(attributes, "SeriesNumber"),
        modality=text(attributes, "Modality"),
        body_part=text(attributes, "BodyPartExamined"),
        kernel=text(attributes, "ConvolutionKernel"),
        thickness_mm=text(attributes, "SliceThickness"),
    )


def shortened(patient_id: str) -> str:
    """The end of a Patient ID: enough to tell two apart, too little to look one up."""
    if not patient_id:
        return ""
    hidden = len(patient_id) - min(ID_CHARACTERS_SHOWN, len(patient_id) // 2)
    return "…" + patient_id[hidden:]


def readable_date(value: str) -> str:
    """A DA value (PS3.5 6.2) as 2026-03-10; another text as it is."""
    try:
        return datetime.strptime(value, "%Y%m%d").date().isoformat()  # noqa: DTZ007 - only a date
    except ValueError:
        return value
