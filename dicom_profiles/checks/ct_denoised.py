"""The checks of a denoised CT image beside those that every derived image gets."""

from __future__ import annotations

from pydicom.dataset import Dataset

from dicom_profiles.ct_denoised import IMAGE_TYPE
from dicom_profiles.sources.source import Sources


def findings(dataset: Dataset, sources: Sources) -> list[str]:
    """What is wrong with one image."""
    if list(dataset.get("ImageType") or []) != IMAGE_TYPE:
        return ["Image Type should be " + "\\".join(IMAGE_TYPE) + "."]
    return []
