"""The checks of a synthetic PET image beside those that every derived image gets."""

from __future__ import annotations

from pydicom.dataset import Dataset

from dicom_profiles.pet_from_ct import IMAGE_TYPE, SLOPE
from dicom_profiles.sources.source import Sources, reference_of

WANTED = {"Modality": "PT", "Units": "GML", "SUVType": "BW"}
FORBIDDEN = ("PatientPosition", "RadionuclideTotalDose", "DoseCalibrationFactor",
             "ReconstructionMethod", "KVP", "CTDIvol", "Exposure", "IrradiationEventUID",
             "ContrastBolusAgent")  # fmt: skip
"""Would lie about an image that no scanner took, or shall not be there (PS3.3 C.8.9.5)."""


def findings(dataset: Dataset, sources: Sources) -> list[str]:
    """What is wrong with one image."""
    found = [
        f"{keyword} should be {value}."
        for keyword, value in WANTED.items()
        if str(dataset.get(keyword, "")) != value
    ]
    if list(dataset.get("ImageType") or []) != IMAGE_TYPE:
        found.append("Image Type should be " + "\\".join(IMAGE_TYPE) + ".")
    if dataset.get("RadiopharmaceuticalInformationSequence"):
        found.append("Radiopharmaceutical Information should have no item: none was given.")
    found += [f"{keyword} should be absent." for keyword in FORBIDDEN if keyword in dataset]
    rescale = float(dataset.get("RescaleSlope", 0)), float(dataset.get("RescaleIntercept", 1))
    if rescale != (SLOPE, 0.0):
        found.append(f"Rescale should be {SLOPE:g} and 0, got {rescale[0]:g} and {rescale[1]:g}.")
    if dataset.get("NumberOfSlices") != len(reference_of(sources)):
        found.append("Number of Slices should be that of the source.")
    return found
