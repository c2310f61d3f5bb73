"""FDG-PET-CT-Lesions in its NIfTI layout: axes, units, lesions, and the CT's own grid first."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np

from trainers.readers.autopet import read_autopet
from trainers.readers.ct_pet import on_cubes


def save(path: Path, values: np.ndarray, spacing: float) -> None:
    """(x, y, z) values as NIfTI, RAS."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(values, np.diag([spacing, spacing, 4.0, 1.0])), path)


def test_nifti_layout(tmp_path: Path) -> None:
    study = tmp_path / "PETCT_0001" / "study"
    suv = np.zeros((20, 24, 30), np.float32)
    suv[5:15, 6:18] = 0.8
    suv[10, 12, 20] = 9.0
    ct = np.where(suv > 0, 40.0, -1000.0).astype(np.float32)
    save(study / "SUV.nii.gz", suv, 4.0)
    save(study / "CTres.nii.gz", ct, 4.0)
    save(study / "SEG.nii.gz", (suv > 5).astype(np.float32), 4.0)
    (pair,) = read_autopet(tmp_path)
    assert pair.patient == "PETCT_0001_study"
    assert pair.ct.voxels.shape == (30, 24, 20)
    assert (pair.ct.unit, pair.suv.unit) == ("HU", "SUVbw")
    assert pair.lesions is not None
    assert pair.suv.voxels[20, 12, 10] == 9.0
    cubes = on_cubes(pair)
    assert cubes.suv.shape == (30, 24, 20)
    assert cubes.suv.max() > 4  # turned to left and back, the hot voxel is still there
    assert cubes.lesions.sum() == 1


def test_study_without_pet_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "PETCT_0002" / "study").mkdir(parents=True)
    assert list(read_autopet(tmp_path)) == []
