"""What a series is, told from its headers: synthetic, localizer, reformat, low-dose CT.

Every answer carries its reasons. Synthetic objects are known by coded attributes
and equipment, never by free text alone: text is edited, and innocent text lies.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.uid import UID, CTImageStorage

from dicom_profiles.codes import SCHEME_DESIGNATOR, SYNTHESIZING_EQUIPMENT
from dicom_profiles.equipment import INSTANCE_CREATOR_UID, MANUFACTURER, is_own_device
from dicom_profiles.errors import ProfileError
from dicom_profiles.provenance import PRIVATE_CREATOR, PRIVATE_GROUP
from dicom_profiles.sources.geometry import is_axial
from dicom_profiles.sources.series import SourceInstance, numbers
from dicom_profiles.storage import MULTI_FRAME_CLASSES, STORAGE_CLASSES

# DICOM profile section 3.3: what speaks for low dose, and how much.
TEXT_SCORE, DOSE_SCORE, EXPOSURE_SCORE = 0.5, 0.4, 0.2
ACCEPT_SCORE = 0.5
"""From this score on a series counts as low dose."""
SCREENING_CTDI_MGY = 3.0
"""CTDIvol of a chest CT up to which it is a low-dose one (the usual screening ceiling)."""
LOW_EXPOSURE_MAS = 40.0
"""Exposure (0018,1152) up to which a scan is low dose."""

LOW_DOSE_TEXT = re.compile(r"low.?dose|\bldct\b|screen", re.IGNORECASE)
CHEST_TEXT = re.compile(r"chest|thora|lung", re.IGNORECASE)
TEXT_KEYWORDS = ("SeriesDescription", "ProtocolName", "StudyDescription")

SYNTHETIC_TERMS = frozenset({"SYNTHETIC", "AI_DENOISED", "SYNTHETIC_CT", "SYNTHETIC_PET"})
"""Image Type (0008,0008) values that only synthetic images carry."""


@dataclass(frozen=True)
class Recognition:
    """What a series was taken for.

    Attributes:
        kind: "low_dose_ct", "ct" (axial, but not low dose), "synthetic", "localizer",
            "reformat" or "other".
        confidence: 0 to 1; for the CT kinds the score of the low-dose signs.
        reasons: one sentence for each sign that counted, for or against.
    """

    kind: str
    confidence: float
    reasons: tuple[str, ...]


def synthetic_signs(header: Dataset) -> list[str]:
    """Which of the five signs of a synthetic object this header shows, as sentences."""
    return [sentence for shows, sentence in _SIGNS if shows(header)]


def is_synthetic(header: Dataset) -> bool:
    """Whether any of the five signs is there: such an object is never an input."""
    return any(shows(header) for shows, _ in _SIGNS)


def not_plain(header: Dataset, wanted: UID) -> str:
    """Why an instance is no single-frame image of this storage class, "" when it is one."""
    modality, sop_class = STORAGE_CLASSES[wanted], header.get("SOPClassUID")
    if header.get("Modality") == modality and sop_class in MULTI_FRAME_CLASSES:
        return (
            f"The instances are multi-frame ({UID(sop_class).name}); send the series as classic "
            "single-frame images."
        )
    plain = header.get("Modality") == modality and sop_class == wanted
    return "" if plain else f"The instances are no {modality} images ({wanted.name})."


def not_a_slice(header: Dataset) -> str:
    """Why a CT instance is no original axial slice, "" when it is one."""
    image_type = _image_type(header)
    if "LOCALIZER" in image_type or "SCOUT" in image_type:
        return "Image Type says LOCALIZER."
    if image_type[:1] == ["DERIVED"]:
        return "Image Type says DERIVED: a reformat or another processed image."
    try:
        axial = is_axial(numbers(header, "ImageOrientationPatient", 6))
    except ProfileError:
        return "Image Orientation (Patient) is missing or wrong."
    return "" if axial else "The slice does not lie across the body axis: a reformat."


def without_localizers(
    instances: Iterable[SourceInstance],
) -> tuple[list[SourceInstance], list[tuple[SourceInstance, str]]]:
    """Part the localizers from the slices of one series, each with its reason.

    Returns:
        The slices, and (instance, reason) for every localizer.
    """
    slices: list[SourceInstance] = []
    localizers: list[tuple[SourceInstance, str]] = []
    for instance in instances:
        terms = {"LOCALIZER", "SCOUT"} & set(_image_type(instance.header))
        if terms:
            localizers.append((instance, f"Image Type says {terms.pop()}."))
        else:
            slices.append(instance)
    return slices, localizers


def other_than_axial_ct(headers: Sequence[Dataset]) -> Recognition | None:
    """What the headers of one series are, unless they are those of an original axial CT."""
    if not headers:
        return Recognition("other", 1.0, ("There are no instances.",))
    signs = next((signs for header in headers if (signs := synthetic_signs(header))), None)
    if signs:
        return Recognition("synthetic", 1.0, tuple(signs))
    unlike = not_plain(headers[0], CTImageStorage)
    if unlike:
        return Recognition("other", 1.0, (unlike,))
    reason = next((reason for header in headers if (reason := not_a_slice(header))), None)
    if reason:
        kind = "localizer" if "LOCALIZER" in reason else "reformat"
        return Recognition(kind, 1.0, (reason,))
    return None


def recognise_low_dose_ct(headers: Sequence[Dataset]) -> Recognition:
    """Tell whether the headers of one series are those of an original low-dose axial CT."""
    other = other_than_axial_ct(headers)
    if other is not None:
        return other
    score, reasons = _low_dose_score(headers[0])
    kind = "low_dose_ct" if score >= ACCEPT_SCORE else "ct"
    return Recognition(kind, score, reasons or ("Nothing speaks for low dose.",))


def _low_dose_score(header: Dataset) -> tuple[float, tuple[str, ...]]:
    """Score, 0 to 1, and a sentence for each sign that counted."""
    score, reasons = 0.0, []
    text = next((k for k in TEXT_KEYWORDS if LOW_DOSE_TEXT.search(str(header.get(k, "")))), None)
    if text:
        score += TEXT_SCORE
        reasons.append(f"{text} speaks of low dose or screening (+{TEXT_SCORE}).")
    dose = _number(header, "CTDIvol")
    if dose is not None and 0 < dose <= SCREENING_CTDI_MGY and _is_chest(header):
        score += DOSE_SCORE
        reasons.append(f"CTDIvol of a chest is {dose:g} mGy (+{DOSE_SCORE}).")
    exposure = _number(header, "Exposure")
    if exposure is not None and 0 < exposure <= LOW_EXPOSURE_MAS:
        score += EXPOSURE_SCORE
        reasons.append(f"Exposure is {exposure:g} mAs (+{EXPOSURE_SCORE}).")
    return min(round(score, 3), 1.0), tuple(reasons)


def _is_chest(header: Dataset) -> bool:
    keywords = ("BodyPartExamined", *TEXT_KEYWORDS)
    return any(CHEST_TEXT.search(str(header.get(keyword, ""))) for keyword in keywords)


def _number(header: Dataset, keyword: str) -> float | None:
    try:
        return float(numbers(header, keyword, 1)[0])
    except ProfileError:
        return None


def _image_type(header: Dataset) -> list[str]:
    value = header.get("ImageType") or []
    values = [value] if isinstance(value, str) else list(value)
    return [str(term).strip().upper() for term in values]


def _says_synthetic(header: Dataset) -> bool:
    return str(header.get("SyntheticData", "")).strip().upper() == "YES"


def _has_synthesizing_equipment(header: Dataset) -> bool:
    """PS3.3 C.12.1: (109100, DCM) names the equipment that synthesised the content."""
    return any(
        (code.get("CodeValue"), code.get("CodingSchemeDesignator"))
        == (SYNTHESIZING_EQUIPMENT.value, SYNTHESIZING_EQUIPMENT.scheme_designator)
        for item in header.get("ContributingEquipmentSequence") or []
        for code in item.get("PurposeOfReferenceCodeSequence") or []
    )


def _made_by_us(header: Dataset) -> bool:
    devices = header.get("DeviceUID") or ""
    return (
        str(header.get("InstanceCreatorUID", "")) == INSTANCE_CREATOR_UID
        or is_own_device(str(devices))
        or str(header.get("Manufacturer", "")) == MANUFACTURER
    )


def _has_synthetic_image_type(header: Dataset) -> bool:
    return not SYNTHETIC_TERMS.isdisjoint(_image_type(header))


def _has_our_provenance(header: Dataset) -> bool:
    creators = (header.get((PRIVATE_GROUP, element)) for element in range(0x10, 0x18))
    if any(c is not None and str(c.value).strip() == PRIVATE_CREATOR for c in creators):
        return True
    return any(
        code.get("CodingSchemeDesignator") == SCHEME_DESIGNATOR
        for code in header.get("DerivationCodeSequence") or []
    )


_SIGNS: tuple[tuple[Callable[[Dataset], bool], str], ...] = (
    (_says_synthetic, "Synthetic Data (0008,001C) is YES."),
    (_has_synthesizing_equipment, "Contributing Equipment names synthesizing equipment."),
    (_made_by_us, "The equipment that made it is a virtual scanner."),
    (_has_synthetic_image_type, "Image Type says that it is synthetic."),
    (_has_our_provenance, "It carries a virtual scanner's provenance or derivation code."),
)
