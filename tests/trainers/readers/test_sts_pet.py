from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest

from trainers.readers.sts_pet import read_sts_pet


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two patients; the PET has a coarser grid than the CT."""
    for patient in ("STS_001", "STS_002"):
        fine, coarse = np.diag([-1.0, -1.0, 3.0, 1.0]), np.diag([-4.0, -4.0, 4.0, 1.0])
        for name, shape, affine, value in (
            ("CT", (16, 16, 8), fine, 40),
            ("PET", (4, 4, 6), coarse, 2),
            ("GTV", (16, 16, 8), fine, 1),
        ):
            image = nibabel.Nifti1Image(np.full(shape, value, np.int16), affine)
            nibabel.save(image, tmp_path / f"{patient}_{name}.nii.gz")
    return tmp_path


def test_every_patient_with_ct_uptake_and_tumour(folder: Path) -> None:
    first, second = read_sts_pet(folder)
    assert (first.patient, second.patient) == ("STS_001", "STS_002")
    assert first.lesions is not None
    assert [one.unit for one in (first.ct, first.suv, first.lesions)] == ["HU", "SUVbw", "1"]
    assert first.ct.voxels.shape == (8, 16, 16)
    assert first.suv.voxels.shape == (6, 4, 4)
    assert first.suv.spacing_mm == pytest.approx((4.0, 4.0, 4.0))
    assert float(first.suv.voxels.mean()) == 2.0


def test_only_the_patients_that_are_asked_for(folder: Path) -> None:
    assert [pair.patient for pair in read_sts_pet(folder, ["STS_002"])] == ["STS_002"]
