from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest

from trainers.readers.nifti import read_nifti
from trainers.readers.series import LOWEST_HU
from trainers.training.errors import SourceError


@pytest.mark.parametrize("towards", [(1, 1, 1), (-1, -1, 1), (1, -1, -1)])
def test_nifti_slices_are_in_dicom_order(tmp_path: Path, towards: tuple[int, int, int]) -> None:
    lps = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6) - 2000  # left, back, head
    turn = [-towards[0], -towards[1], towards[2]]  # NIfTI counts to the right, front, head
    voxels = lps[tuple(slice(None, None, step) for step in turn)]
    affine = np.diag([*np.multiply([0.8, 0.8, 3.0], towards), 1.0])
    nibabel.save(nibabel.Nifti1Image(voxels, affine), tmp_path / "P01_CT.nii.gz")
    series = read_nifti(tmp_path / "P01_CT.nii.gz")
    assert (series.name, series.patient) == ("P01_CT", "P01")
    assert (series.pixel_spacing_mm, series.slice_spacing_mm) == pytest.approx((0.8, 3.0))
    expected = np.maximum(lps.transpose(2, 1, 0), LOWEST_HU)
    np.testing.assert_array_equal(series.slices, expected)


@pytest.mark.parametrize("name", ["notes.txt", "ct.nii", "ct.nii.gz"])
def test_a_file_that_is_none_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("no image")
    with pytest.raises(SourceError, match=f"{name} cannot be read"):
        read_nifti(tmp_path / name)


def test_a_file_that_was_cut_off_is_named(tmp_path: Path) -> None:
    path = tmp_path / "ct.nii.gz"
    voxels = np.random.default_rng(0).integers(0, 999, (16, 16, 9)).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4)), path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(SourceError, match=r"ct\.nii\.gz cannot be read"):
        read_nifti(path)


def test_a_series_of_volumes_is_refused(tmp_path: Path) -> None:
    voxels = np.zeros((4, 5, 6, 2), np.int16)
    nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4)), tmp_path / "many.nii")
    with pytest.raises(SourceError, match=r"many\.nii has 4"):
        read_nifti(tmp_path / "many.nii")
