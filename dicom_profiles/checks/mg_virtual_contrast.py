"""The checks of a virtual recombined mammogram beside those that every derived image gets."""

from __future__ import annotations

from pydicom.dataset import Dataset

from dicom_profiles.encoding.element_bytes import TO_UPPER_CASE
from dicom_profiles.mg_virtual_contrast import IMAGE_TYPE, INPUT
from dicom_profiles.sources.source import Sources

KEPT = (
    "ImageLaterality",
    "ViewPosition",
    "PatientOrientation",
    "ImagerPixelSpacing",
    "FieldOfViewHorizontalFlip",
    "FieldOfViewRotation",
)
"""Attributes by which a mammogram is hung; the source's to the letter."""

UNTRUE = (
    "ContrastBolusAgent",
    "ContrastBolusAgentSequence",
    "ContrastBolusRoute",
    "KVP",
    "Exposure",
    "ExposureTime",
    "XRayTubeCurrent",
    "OrganDose",
    "EntranceDose",
    "EntranceDoseInmGy",
    "AnodeTargetMaterial",
    "FilterMaterial",
    "IrradiationEventUID",
)
"""Attributes that would say that contrast was given or that somebody was irradiated."""


def findings(dataset: Dataset, sources: Sources) -> list[str]:
    """What is wrong with one image."""
    found = []
    if [str(value or "") for value in dataset.get("ImageType") or []] != IMAGE_TYPE:
        found.append("Image Type should be " + "\\".join(IMAGE_TYPE) + ".")
    if dataset.get("PresentationIntentType") != "FOR PRESENTATION":
        found.append("Presentation Intent Type should be FOR PRESENTATION.")
    untrue = [keyword for keyword in UNTRUE if keyword in dataset]
    if untrue:
        found.append(f"{', '.join(untrue)} should be absent: nothing was given or exposed.")
    header = sources[INPUT].headers[0]
    other = [k for k in KEPT if _upper(dataset, k) != _upper(header, k)]
    if other:
        found.append(f"{', '.join(other)} should be the source's.")
    return found


def _upper(ds: Dataset, keyword: str) -> str:
    """As text; code strings have no case (PS3.5 6.2), and ours are upper."""
    return str(ds.get(keyword) or "").translate(TO_UPPER_CASE)
