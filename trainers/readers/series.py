"""What a reader gives: one series of one patient, slices on a grid."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dicom_profiles.errors import ProfileError
from dicom_profiles.reading import read_series
from dicom_profiles.volume import Volume
from trainers.training.errors import SourceError

LOWEST_HU = -1024.0
"""Padding and whatever else lies below air is taken as air."""


@dataclass(frozen=True)
class TrainingSeries:
    """One CT series.

    Attributes:
        name: for reports; never a patient's name.
        patient: slices of one patient must not be on both sides of a split.
        slices: (n, rows, columns) float32, HU, in order along the body.
        pixel_spacing_mm: distance between pixels.
        slice_spacing_mm: distance between slices.
        low: (n, rows, columns) float32, HU: the same slices at a lower dose, where a pair exists.
        slice_thickness_mm: how much of the body a slice averages; the spacing when it is not known.
    """

    name: str
    patient: str
    slices: npt.NDArray[np.float32]
    pixel_spacing_mm: float
    slice_spacing_mm: float
    low: npt.NDArray[np.float32] | None = None
    slice_thickness_mm: float | None = None

    def shared_noise(self, apart: int = 1) -> float:
        """Correlation of the noise of two slices: the share of their thickness that overlaps.

        Args:
            apart: 1 for neighbours, 2 for the next but one.
        """
        thickness = self.slice_thickness_mm or self.slice_spacing_mm
        return max(0.0, 1.0 - apart * self.slice_spacing_mm / thickness)


def series_in(folder: Path) -> Volume:
    """The one series of DICOM in a folder.

    Raises:
        SourceError: there is no such folder, or it does not hold one series; it is named.
    """
    if not folder.is_dir():
        raise SourceError(f"A file or a folder of DICOM files is wanted, {folder} does not exist.")
    try:
        return read_series(folder)
    except ProfileError as error:
        raise SourceError(f"{folder} cannot be used. {error}") from error


def cleaned(slices: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Values below air become air."""
    return np.maximum(slices, LOWEST_HU).astype(np.float32, copy=False)
