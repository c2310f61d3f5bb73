from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest

from trainers.readers.sts import read_sts, read_sts_patient
from trainers.training.errors import SourceError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two patients whose CT has a larger grid than the MR, with one bright voxel in common."""
    for patient in ("STS_001", "STS_002"):
        ct = np.full((20, 22, 8), -1000, np.int16)
        ct[8, 9, 4] = 500
        mr = np.zeros((10, 12, 5), np.int16)
        mr[3, 4, 3] = 900
        where = np.diag([-1.0, -1.0, 3.0, 1.0])
        shifted = where.copy()
        shifted[:3, 3] = where[:3, :3] @ [5, 5, 1]
        nibabel.save(nibabel.Nifti1Image(ct, where), tmp_path / f"{patient}_CT.nii.gz")
        nibabel.save(nibabel.Nifti1Image(mr, shifted), tmp_path / f"{patient}_MR_T1.nii.gz")
    return tmp_path


def test_the_ct_lies_on_the_grid_of_the_mr(folder: Path) -> None:
    series = read_sts_patient(folder, "STS_001")
    assert series.ct is not None
    assert series.ct.shape == series.mr["T1"].shape == (5, 12, 10)
    assert np.argmax(series.ct) == np.argmax(series.mr["T1"])
    assert series.ct.max() == 500
    assert (series.pixel_mm, series.slice_mm) == (1.0, 3.0)


def test_patients_are_left_out(folder: Path) -> None:
    assert [one.patient for one in read_sts(folder)] == ["STS_001", "STS_002"]
    assert [one.patient for one in read_sts(folder, ("STS_001",))] == ["STS_002"]


def test_somebody_who_is_not_there_cannot_be_left_out(folder: Path) -> None:
    """Else a slip of the pen would train on whom the figures are measured."""
    with pytest.raises(SourceError, match=r"got STS_01\."):
        list(read_sts(folder, ("STS_01",)))
