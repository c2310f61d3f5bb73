"""The checks of a virtual recombined mammogram beside those that every derived image gets."""

from __future__ import annotations

from pydicom.dataset import Dataset

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
    other = [k for k in KEPT if str(dataset.get(k) or "") != str(header.get(k) or "")]
    if other:
        found.append(f"{', '.join(other)} should be the source's.")
    return found
