"""Whether a CT shows the whole body: by how much of it lies in the scan, and by what it is called.

A PET/CT scan runs from the skull (or its base) to the thighs, 0.9 to 1.1 m, or to the toes; an
abdomen with pelvis ends at 0.55 m, with the chest at 0.75 m. Length decides; words only help. But
a scanner that names the whole body as the part examined says so of a shorter scan as well.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pydicom.dataset import Dataset

from dicom_profiles.errors import ProfileError
from dicom_profiles.recognition.series import Recognition, other_than_axial_ct
from dicom_profiles.sources.series import numbers

WHOLE_BODY_MM = 850.0
"""From this length on a scan is one of the whole body, whatever it is called."""

LONG_MM = 550.0
"""From this length on it may be one, if its name says so."""

LENGTH_SCORE, LONG_SCORE, TEXT_SCORE, ATTENUATION_SCORE = 0.9, 0.4, 0.4, 0.2
BODY_PART_SCORE = 0.8
BODY_PARTS = ("WHOLEBODY", "WHOLE BODY", "WHOLE_BODY")
"""Body Part Examined of a part of a whole-body scan (PS3.16 annex L has the first)."""

TOO_SHORT = (
    f"From {WHOLE_BODY_MM:g} mm on a CT counts as one of the whole body, from {LONG_MM:g} mm on "
    "where its description says so."
)

TEXT = re.compile(
    r"whole.?body|\bwb\b|pet.?ct|ct.?pet|(skull|eyes?|vertex).*(thigh|toes|feet)", re.I
)
ATTENUATION = re.compile(r"\bac.?ct\b|ct.?ac\b|attenuation", re.IGNORECASE)
TEXT_KEYWORDS = ("SeriesDescription", "ProtocolName", "StudyDescription",
                 "RequestedProcedureDescription", "BodyPartExamined")  # fmt: skip


def recognise_whole_body_ct(headers: Sequence[Dataset]) -> Recognition:
    """Tell whether the headers of one series are those of an original axial whole-body CT."""
    other = other_than_axial_ct(headers)
    if other is not None:
        return other
    score, reasons = _score(headers)
    if score >= LENGTH_SCORE - TEXT_SCORE:
        return Recognition("whole_body_ct", score, reasons)
    return Recognition("ct", score, (*reasons, TOO_SHORT))


def _score(headers: Sequence[Dataset]) -> tuple[float, tuple[str, ...]]:
    """Score, 0 to 1, and a sentence for each sign that counted."""
    length = scanned_length_mm(headers)
    score, reasons = 0.0, [f"The scan is {length:.0f} mm long."]
    if length >= WHOLE_BODY_MM:
        score = LENGTH_SCORE
        reasons.append(f"That is a whole body (+{LENGTH_SCORE}).")
    elif length >= LONG_MM:
        score = LONG_SCORE
        reasons.append(f"That is more than one region (+{LONG_SCORE}).")
    for pattern, worth, what in (
        (TEXT, TEXT_SCORE, "a whole body or PET/CT"),
        (ATTENUATION, ATTENUATION_SCORE, "attenuation correction"),
    ):
        keyword = next((k for k in TEXT_KEYWORDS if pattern.search(str(headers[0].get(k, "")))), "")
        if keyword and length >= LONG_MM:
            score += worth
            reasons.append(f"{keyword} speaks of {what} (+{worth}).")
    if score < BODY_PART_SCORE and _part_examined(headers[0]) in BODY_PARTS:
        score = BODY_PART_SCORE
        reasons.append(f"Body Part Examined is the whole body ({BODY_PART_SCORE}).")
    return round(min(score, 1.0), 3), tuple(reasons)


def _part_examined(header: Dataset) -> str:
    return str(header.get("BodyPartExamined") or "").strip().upper()


def scanned_length_mm(headers: Sequence[Dataset]) -> float:
    """How far the slices reach along the body axis, z of Image Position (Patient), mm."""
    places = []
    for header in headers:
        try:
            places.append(float(numbers(header, "ImagePositionPatient", 3)[2]))
        except ProfileError:
            continue
    return max(places) - min(places) if places else 0.0
