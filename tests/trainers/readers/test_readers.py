from __future__ import annotations

import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest

from tests.synthetic import write_ct_series
from trainers.readers.dicom import PairError, read_dicom, read_dicom_pair
from trainers.readers.ldct_projection import read_ldct_projection
from trainers.readers.nifti import read_nifti
from trainers.readers.series import LOWEST_HU


def test_a_folder_of_dicom(tmp_path: Path) -> None:
    write_ct_series(tmp_path / "one", slices=5, rows=40, columns=48, spacing=(2.0, 0.9, 0.9))
    series = read_dicom(tmp_path / "one", "patient 7")
    assert series.slices.shape == (5, 40, 48)
    assert (series.name, series.patient) == ("one", "patient 7")
    assert series.pixel_spacing_mm == pytest.approx(0.9)
    assert series.slice_spacing_mm == pytest.approx(2.0)
    assert series.slices.min() >= LOWEST_HU


def test_thickness_tells_how_much_slices_share(tmp_path: Path) -> None:
    write_ct_series(tmp_path / "a", slices=4, spacing=(2.0, 1.0, 1.0), SliceThickness="4")
    overlapping = read_dicom(tmp_path / "a")
    assert overlapping.slice_thickness_mm == 4
    assert overlapping.shared_noise() == pytest.approx(0.5)
    assert overlapping.shared_noise(2) == 0
    write_ct_series(tmp_path / "b", slices=4, spacing=(2.0, 1.0, 1.0), SliceThickness=None)
    assert read_dicom(tmp_path / "b").shared_noise() == 0


def pair(root: Path, *, low_slices: int = 4) -> None:
    write_ct_series(root / "full", slices=4, seed=1, series_description="Full Dose Images")
    write_ct_series(root / "low", slices=low_slices, seed=2, series_description="Low Dose Images")


def test_a_pair_holds_both_doses(tmp_path: Path) -> None:
    pair(tmp_path)
    series = read_dicom_pair(tmp_path / "low", tmp_path / "full")
    assert series.low is not None
    np.testing.assert_array_equal(series.slices, read_dicom(tmp_path / "full").slices)
    np.testing.assert_array_equal(series.low, read_dicom(tmp_path / "low").slices)


def test_a_pair_on_two_grids_is_refused(tmp_path: Path) -> None:
    pair(tmp_path, low_slices=5)
    with pytest.raises(PairError, match="one grid"):
        read_dicom_pair(tmp_path / "low", tmp_path / "full")


def test_the_low_dose_collection_leaves_patients_without_a_pair_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pair(tmp_path / "L004" / "study")
    pair(tmp_path / "C001" / "study")
    pair(tmp_path / "N012" / "study")
    shutil.rmtree(tmp_path / "N012" / "study" / "low")
    found = list(read_ldct_projection(tmp_path))
    assert [series.patient for series in found] == ["C001", "L004"]
    assert all(series.low is not None for series in found)
    assert "N012 has no pair" in caplog.text


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
