"""What a mammogram is, told from its headers: low energy, high energy, recombined, plain, other.

The standard's place for it is Image Type (PS3.3 C.8.11.7.1.4): value 4 GENERATED_2D, ADDITION or
SUBTRACTION, value 5 LOW_ENERGY or HIGH_ENERGY. GE writes its terms into value 4, RECOMBINED among
them, which the standard does not have. Where no term helps, contrast and tube voltage have to.
Contradictory hints get a low confidence: a person decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pydicom.dataset import Dataset
from pydicom.uid import (
    BreastProjectionXRayImageStorageForPresentation,
    BreastProjectionXRayImageStorageForProcessing,
    BreastTomosynthesisImageStorage,
    DigitalMammographyXRayImageStorageForPresentation,
    DigitalMammographyXRayImageStorageForProcessing,
)

from dicom_profiles.errors import ProfileError
from dicom_profiles.recognition.series import Recognition, synthetic_signs
from dicom_profiles.sources.series import numbers

LOW_ENERGY, HIGH_ENERGY, RECOMBINED = "mg_low_energy", "mg_high_energy", "mg_recombined"
FOR_PROCESSING = "mg_low_energy_for_processing"
PLAIN, MAGNIFIED, TOMOSYNTHESIS = "mg_plain", "mg_magnified", "mg_tomosynthesis"

CERTAIN, LIKELY, CONTRADICTORY = 1.0, 0.8, 0.5

RECOMBINED_TERMS = frozenset({"RECOMBINED", "SUBTRACTION"})
TOMOSYNTHESIS_TERMS = frozenset(
    {"GENERATED_2D", "TOMO", "TOMOSYNTHESIS", "TOMO_PROJ", "STEREO", "STEREO_SCOUT"}
)
TOMOSYNTHESIS_CLASSES = (
    BreastTomosynthesisImageStorage,
    BreastProjectionXRayImageStorageForPresentation,
    BreastProjectionXRayImageStorageForProcessing,
)
RECOMBINED_PROCESSING = re.compile(r"^GEMS_CESM", re.IGNORECASE)
"""Acquisition Device Processing Code (0018,1401) of GE's recombined images."""

# PS3.16 CID 4015, in SNOMED CT and in the codes that older systems write.
CLOSE_VIEWS = {
    ("399163009", "SCT"): "magnification",
    ("R-102D6", "SRT"): "magnification",
    ("R-102D6", "SNM3"): "magnification",
    ("399055006", "SCT"): "spot compression",
    ("R-102D7", "SRT"): "spot compression",
    ("R-102D7", "SNM3"): "spot compression",
}
LARGEST_MAGNIFICATION = 1.3
"""Estimated Radiographic Magnification Factor (0018,1114); contact views have 1.0 to 1.1."""

CONTRAST_TEXT = re.compile(r"CESM|CEDM|CE2D|TICEM|SENOBRIGHT|I-?VIEW", re.IGNORECASE)
CONTRAST_TEXT_KEYWORDS = (
    "SeriesDescription",
    "ProtocolName",
    "StudyDescription",
    "AcquisitionDeviceProcessingDescription",
)
RECOMBINED_TEXT = re.compile(r"recombin|subtract", re.IGNORECASE)
RECOMBINED_TEXT_KEYWORDS = ("SeriesDescription", "AcquisitionDeviceProcessingDescription")
"""Texts of one image; those of the study speak of all its images."""
LOW_ENERGY_BELOW_KVP, HIGH_ENERGY_FROM_KVP = 36.0, 40.0


def recognise_low_energy_mammogram(headers: Sequence[Dataset]) -> Recognition:
    """Tell what the mammogram of these headers is; one image is one stack."""
    if not headers:
        return Recognition("other", CERTAIN, ("There are no instances.",))
    found = [_recognise(header) for header in headers]
    if len({one.kind for one in found}) > 1:
        return Recognition("other", CONTRADICTORY, ("The images are of different kinds.",))
    return min(found, key=lambda one: one.confidence)


def _recognise(header: Dataset) -> Recognition:
    signs = synthetic_signs(header)
    if signs:
        return Recognition("synthetic", CERTAIN, tuple(signs))
    projection = _not_a_plain_projection(header)
    if projection is not None:
        return projection
    return _by_terms(header) or _by_contrast(header)


def _not_a_plain_projection(header: Dataset) -> Recognition | None:
    """Other objects, tomosynthesis, close views; None for a whole 2-D mammogram."""
    classes = (
        DigitalMammographyXRayImageStorageForPresentation,
        DigitalMammographyXRayImageStorageForProcessing,
    )
    modality, terms = str(header.get("Modality", "")), _terms(header)
    tomosynthesis = sorted(TOMOSYNTHESIS_TERMS & set(terms))
    if tomosynthesis:
        reason = f"Image Type says {tomosynthesis[0]}: no single projection."
        return Recognition(TOMOSYNTHESIS, CERTAIN, (reason,))
    if header.get("SOPClassUID") in TOMOSYNTHESIS_CLASSES:
        reason = "The object is one of tomosynthesis: no single projection."
        return Recognition(TOMOSYNTHESIS, CERTAIN, (reason,))
    if modality != "MG" or header.get("SOPClassUID") not in classes:
        return Recognition("other", CERTAIN, ("The instance is no 2-D mammogram.",))
    close = next(_close_views(header), None)
    return Recognition(MAGNIFIED, CERTAIN, (close,)) if close else None


def _close_views(header: Dataset) -> Iterator[str]:
    """Why this is a magnification or spot view."""
    for view in header.get("ViewCodeSequence") or []:
        for code in view.get("ViewModifierCodeSequence") or []:
            name = CLOSE_VIEWS.get((code.get("CodeValue"), code.get("CodingSchemeDesignator")))
            if name:
                yield f"View Modifier says {name}: not the whole breast at its own size."
    factor = _number(header, "EstimatedRadiographicMagnificationFactor")
    if factor is not None and factor > LARGEST_MAGNIFICATION:
        yield f"The image is magnified {factor:g} times."


def _by_terms(header: Dataset) -> Recognition | None:
    """By Image Type and processing code; None where they say nothing."""
    terms = set(_terms(header)[2:])
    code = str(header.get("AcquisitionDeviceProcessingCode") or "")
    recombined = sorted(RECOMBINED_TERMS & terms)
    if recombined:
        reason = f"Image Type says {recombined[0]}."
        return Recognition(RECOMBINED, CERTAIN, (reason,))
    if RECOMBINED_PROCESSING.search(code):
        return Recognition(RECOMBINED, CERTAIN, (f"The processing code is {code}: recombined.",))
    if "HIGH_ENERGY" in terms:
        return Recognition(HIGH_ENERGY, CERTAIN, ("Image Type says HIGH_ENERGY.",))
    if "LOW_ENERGY" in terms:
        return _low_energy(header, CERTAIN, "Image Type says LOW_ENERGY.")
    return None


def _by_contrast(header: Dataset) -> Recognition:
    """By contrast agent, text and tube voltage."""
    hint = _contrast_hint(header)
    kilovolts = _number(header, "KVP")
    if not hint:
        return Recognition(PLAIN, CERTAIN, ("Nothing speaks of contrast: a plain mammogram.",))
    recombined = _speaking(header, RECOMBINED_TEXT, RECOMBINED_TEXT_KEYWORDS)
    if recombined:
        return Recognition(RECOMBINED, LIKELY, (hint, f"{recombined} speaks of recombination."))
    if kilovolts is None:
        return Recognition(LOW_ENERGY, CONTRADICTORY, (hint, "The tube voltage is not given."))
    voltage = f"The tube voltage is {kilovolts:g} kV."
    if kilovolts >= HIGH_ENERGY_FROM_KVP:
        return Recognition(HIGH_ENERGY, LIKELY, (hint, voltage))
    if kilovolts < LOW_ENERGY_BELOW_KVP:
        return _low_energy(header, LIKELY, hint, voltage)
    return Recognition(LOW_ENERGY, CONTRADICTORY, (hint, voltage))


def _low_energy(header: Dataset, confidence: float, *reasons: str) -> Recognition:
    """A low-energy image, unless it is for processing; doubtful when its voltage is high."""
    if header.get("SOPClassUID") == DigitalMammographyXRayImageStorageForProcessing:
        more = "It is for processing, on another grey scale than what is read."
        return Recognition(FOR_PROCESSING, confidence, (*reasons, more))
    kilovolts = _number(header, "KVP")
    if kilovolts is not None and kilovolts >= LOW_ENERGY_BELOW_KVP:
        more = f"But the tube voltage is {kilovolts:g} kV."
        return Recognition(LOW_ENERGY, CONTRADICTORY, (*reasons, more))
    return Recognition(LOW_ENERGY, confidence, reasons)


def _contrast_hint(header: Dataset) -> str:
    """What speaks of contrast, "" when nothing does; the text itself is not quoted."""
    if header.get("ContrastBolusAgent") or header.get("ContrastBolusAgentSequence"):
        return "A contrast agent is named."
    if "POST_CONTRAST" in _terms(header):
        return "Image Type says POST_CONTRAST."
    keyword = _speaking(header, CONTRAST_TEXT, CONTRAST_TEXT_KEYWORDS)
    return f"{keyword} speaks of contrast mammography." if keyword else ""


def _speaking(header: Dataset, text: re.Pattern[str], keywords: Sequence[str]) -> str:
    """The first attribute that speaks of it, "" when none does."""
    return next((k for k in keywords if text.search(str(header.get(k) or ""))), "")


def _terms(header: Dataset) -> list[str]:
    """Values of Image Type (0008,0008), upper case, empty ones kept in their place."""
    value = header.get("ImageType") or []
    values = [value] if isinstance(value, str) else list(value)
    return [str(term or "").strip().upper() for term in values]


def _number(header: Dataset, keyword: str) -> float | None:
    try:
        return float(numbers(header, keyword, 1)[0])
    except ProfileError:
        return None
