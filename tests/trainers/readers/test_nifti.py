from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest

from trainers.readers.nifti import read_nifti
from trainers.readers.series import LOWEST_HU


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
