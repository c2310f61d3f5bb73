"""CHAOS (10.5281/zenodo.3362844) in the layout in which it is published.

    Train_Sets/CT/<patient>/DICOM_anon/*.dcm
    Train_Sets/MR/<patient>/T1DUAL/DICOM_anon/InPhase/*.dcm      the two echoes of one acquisition
    Train_Sets/MR/<patient>/T1DUAL/DICOM_anon/OutPhase/*.dcm
    Train_Sets/MR/<patient>/T2SPIR/DICOM_anon/*.dcm              on a grid of its own

and the same under `Test_Sets`. CT and MR are of different patients: nothing here is a pair.
Licence CC BY-NC-SA 4.0: what is trained on it cannot be shipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.ndimage import map_coordinates

from dicom_profiles.reading import read_series
from dicom_profiles.volume import Volume
from trainers.readers.mr_ct import MrCtSeries, Slices, read_ct

IN_PHASE, OPPOSED_PHASE = "T1DUAL/DICOM_anon/InPhase", "T1DUAL/DICOM_anon/OutPhase"
T2 = "T2SPIR/DICOM_anon"
CT = "DICOM_anon"


def read_chaos(root: Path) -> Iterator[MrCtSeries]:
    """Every patient: first those with MR (`IP`, `OOP`, `T2`), then those with CT.

    Args:
        root: holds `MR` and `CT`, or the sets that hold them, or the folders of the archives.
    """
    sets = [root, *sorted(root.glob("*/")), *sorted(root.glob("*/*/"))]
    for patient in (one for place in sets for one in _patients(place / "MR")):
        yield read_chaos_mr(patient)
    for patient in (one for place in sets for one in _patients(place / "CT")):
        series = read_ct(patient / CT)
        yield MrCtSeries(f"CT-{patient.name}", {}, series.ct, series.pixel_mm, series.slice_mm)


def read_chaos_mr(patient: Path) -> MrCtSeries:
    """The dual echo of one patient, and the T2 brought to its grid where there is one."""
    in_phase, opposed = read_series(patient / IN_PHASE), read_series(patient / OPPOSED_PHASE)
    if in_phase.voxels.shape != opposed.voxels.shape:
        raise ValueError(
            f"The echoes of one acquisition have one shape, got {in_phase.voxels.shape} and "
            f"{opposed.voxels.shape} in {patient.name}."
        )
    mr = {"IP": in_phase.voxels, "OOP": opposed.voxels}
    if (patient / T2).is_dir():
        mr["T2"] = on_grid(read_series(patient / T2), in_phase)
    slices_mm, _, columns_mm = in_phase.spacing_mm
    return MrCtSeries(f"MR-{patient.name}", mr, None, columns_mm, slices_mm)


def on_grid(volume: Volume, grid: Volume) -> Slices:
    """The volume on the grid of another, linearly interpolated; 0 where it has nothing."""
    to_volume = np.linalg.inv(volume.affine) @ grid.affine
    indices = np.indices(grid.voxels.shape).reshape(3, -1)
    places = to_volume[:3, :3] @ indices + to_volume[:3, 3:]
    values = map_coordinates(volume.voxels, places, order=1, cval=0.0)
    return np.asarray(values.reshape(grid.voxels.shape), np.float32)


def _patients(place: Path) -> list[Path]:
    return sorted(path for path in place.iterdir() if path.is_dir()) if place.is_dir() else []
