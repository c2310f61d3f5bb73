from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest

from tests.trainers.evaluation.toy import TOY, case
from trainers.evaluation.command import evaluate
from trainers.evaluation.saving import filename, save
from trainers.readers.nifti import read_nifti


def test_every_output_is_kept_under_its_method(tmp_path: Path) -> None:
    given = ["--data", "2", "--out", str(tmp_path / "x"), "--save", str(tmp_path / "made")]
    assert evaluate(TOY, given) == 0
    found = sorted(str(p.relative_to(tmp_path / "made")) for p in tmp_path.rglob("*.nii.gz"))
    assert found == [
        f"{method}/P{patient}, ct.nii.gz" for method in ("input", "ours") for patient in (0, 1)
    ]


def test_what_is_kept_comes_back_in_its_place(tmp_path: Path) -> None:
    """Slices 3 mm apart from the feet up, the first voxel at (-50, -40, 7) mm of LPS."""
    affine = np.array([[0, 0, 0.7, -50], [0, 0.8, 0, -40], [3, 0, 0, 7], [0, 0, 0, 1]])
    one = case(0)
    one = replace(one, truth=replace(one.truth, affine=affine))
    output = np.arange(one.truth.voxels.size, dtype=np.float32).reshape(one.truth.voxels.shape)
    save(one, output, tmp_path / "made" / "P0.nii.gz")
    series = read_nifti(tmp_path / "made" / "P0.nii.gz")
    np.testing.assert_array_equal(series.slices, output)
    assert (series.pixel_spacing_mm, series.slice_spacing_mm) == pytest.approx((0.7, 3))
    image = nibabel.Nifti1Image.from_filename(tmp_path / "made" / "P0.nii.gz")
    np.testing.assert_allclose(image.affine @ [0, 0, 0, 1], [50, 40, 7, 1])


def test_a_file_is_named_after_what_a_file_can_be_named_after() -> None:
    assert filename("10% dose: a/b.c, x") == "10% dose_ a_b_c, x"
