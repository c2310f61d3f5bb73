from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest

from tests.synthetic import write_ct_series
from trainers.readers.mr_ct import MrCtSeries, read_ct, read_prepared, save_prepared


def test_a_ct_alone_comes_from_either_kind_of_place(tmp_path: Path) -> None:
    write_ct_series(tmp_path / "dicom", slices=3, rows=20, columns=24, spacing=(2.0, 0.9, 0.9))
    from_dicom = read_ct(tmp_path / "dicom")
    assert from_dicom.ct is not None
    assert (from_dicom.mr, from_dicom.ct.shape) == ({}, (3, 20, 24))
    assert (from_dicom.pixel_mm, from_dicom.slice_mm) == pytest.approx((0.9, 2.0))
    image = nibabel.Nifti1Image(np.zeros((5, 6, 4), np.int16), np.diag([1.5, 1.5, 3.0, 1.0]))
    nibabel.save(image, tmp_path / "P1_CT.nii.gz")
    from_nifti = read_ct(tmp_path / "P1_CT.nii.gz")
    assert from_nifti.ct is not None
    assert (from_nifti.patient, from_nifti.ct.shape) == ("P1", (4, 6, 5))


@pytest.mark.parametrize("with_ct", [True, False])
def test_what_is_prepared_comes_back(tmp_path: Path, with_ct: bool) -> None:
    noise = np.random.default_rng(0)
    mr = {key: noise.integers(0, 900, (3, 4, 5)).astype(np.float32) for key in ("IP", "OOP")}
    ct = noise.integers(-1024, 1500, (3, 4, 5)).astype(np.float32) if with_ct else None
    assert save_prepared(MrCtSeries("P2", mr, ct, 0.9, 3.0), tmp_path).name == "P2.npz"
    (back,) = read_prepared(tmp_path)
    assert back.patient == "P2"
    assert (back.pixel_mm, back.slice_mm) == pytest.approx((0.9, 3.0))
    assert set(back.mr) == set(mr)
    for key, image in mr.items():
        np.testing.assert_array_equal(back.mr[key], image)  # whole numbers fit halves of floats
    assert (back.ct is None) == (ct is None)
    if ct is not None:
        np.testing.assert_array_equal(back.ct, ct)
