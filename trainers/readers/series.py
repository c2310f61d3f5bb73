"""What a reader gives: one series of one patient, slices on a grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

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
    """

    name: str
    patient: str
    slices: npt.NDArray[np.float32]
    pixel_spacing_mm: float
    slice_spacing_mm: float
    low: npt.NDArray[np.float32] | None = None


def cleaned(slices: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Values below air become air."""
    return np.maximum(slices, LOWEST_HU).astype(np.float32, copy=False)
