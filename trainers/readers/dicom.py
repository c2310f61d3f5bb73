"""Folders of DICOM series, and pairs of a low-dose and a full-dose series of one acquisition."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from dicom_profiles.reading import read_instances
from dicom_profiles.volume import Volume
from trainers.errors import TrainersError
from trainers.readers.series import TrainingSeries, cleaned, series_in


class PairError(TrainersError):
    """Two series that should be a pair are not."""


def read_dicom(folder: Path, patient: str | None = None) -> TrainingSeries:
    """Read the CT series in a folder.

    Args:
        folder: DICOM files of one series.
        patient: who it is of; the folder's name when left out (never read from the header).

    Raises:
        SourceError: there is no such folder, or it does not hold one series.
    """
    return _training_series(series_in(folder), folder, patient or folder.name)


def read_dicom_pair(low: Path, full: Path, patient: str | None = None) -> TrainingSeries:
    """Read a low-dose and a full-dose series on one grid.

    Raises:
        PairError: number of slices, matrix or positions differ.
        SourceError: a folder does not hold one series.
    """
    low_volume, full_volume = series_in(low), series_in(full)
    if low_volume.voxels.shape != full_volume.voxels.shape or not np.allclose(
        low_volume.affine, full_volume.affine, atol=0.1
    ):
        raise PairError(
            f"A pair needs one grid, got {low_volume.voxels.shape} in {low.name} and "
            f"{full_volume.voxels.shape} in {full.name}; use two reconstructions of one scan."
        )
    series = _training_series(full_volume, full, patient or full.parent.name)
    return replace(series, low=cleaned(low_volume.voxels))


def _training_series(volume: Volume, folder: Path, patient: str) -> TrainingSeries:
    slices_mm, _, columns_mm = volume.spacing_mm
    return TrainingSeries(
        folder.name,
        patient,
        cleaned(volume.voxels),
        columns_mm,
        slices_mm,
        slice_thickness_mm=_thickness_mm(folder),
    )


def _thickness_mm(folder: Path) -> float | None:
    """Slice Thickness (PS3.3 C.7.6.2) of the first instance, where it has a value."""
    header = read_instances(folder, required=()).instances[0].header
    return float(header.SliceThickness) if header.get("SliceThickness") else None
