"""A folder of a PET series as SUV, a folder of a CT series as HU."""

from __future__ import annotations

from pathlib import Path

from dicom_profiles.reading import read_series
from dicom_profiles.suv import read_suv_series
from dicom_profiles.volume import Volume


def read_suv(folder: Path) -> Volume:
    """The PET series of a folder in SUVbw.

    Raises:
        SuvError: the headers do not say how activity becomes SUV.
    """
    return read_suv_series(folder)


def read_ct(folder: Path) -> Volume:
    """The CT series of a folder in HU."""
    return read_series(folder)
