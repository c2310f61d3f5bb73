"""FDG-PET-CT-Lesions in both its layouts: axes, units, lesions, and the CT's own grid first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import highdicom as hd
import nibabel
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import PositronEmissionTomographyImageStorage, generate_uid

from tests.synthetic import write_ct_series
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


HOT, KG, INJECTED_BQ = 4_000, 70.0, 350e6


def write_pet(folder: Path, **uids: Any) -> list[Dataset]:
    """Five slices in Bq/ml, with some 4,000 in the second one; read back from their files."""
    injection = Dataset()
    injection.RadionuclideTotalDose = str(INJECTED_BQ)
    injection.RadionuclideHalfLife = "6586.2"
    injection.RadiopharmaceuticalStartTime = "080000"
    paths = write_ct_series(folder, slices=5, spacing=(6.0, 1.875, 1.875), rows=32, columns=32,
                            Modality="PT", SOPClassUID=PositronEmissionTomographyImageStorage,
                            Units="BQML", DecayCorrection="START", CorrectedImage=["ATTN", "DECY"],
                            PatientWeight=str(KG), SeriesTime="090000", AcquisitionTime="090000",
                            RescaleIntercept="0", **uids,
                            RadiopharmaceuticalInformationSequence=[injection])  # fmt: skip
    slices: list[Dataset] = [pydicom.dcmread(path) for path in paths]
    for index, (ds, path) in enumerate(zip(slices, paths, strict=True)):
        activity = np.zeros((32, 32), "<u2")
        activity[8:12, 20:24] = HOT if index == 1 else 0
        ds.PixelData = activity.tobytes()
        ds.save_as(path)
    return slices


def write_lesion(path: Path, pet: list[Dataset]) -> None:
    """Where the activity is, as the collection has it: a segmentation of the PET's slices."""
    path.parent.mkdir()
    outline = np.stack([ds.pixel_array > 0 for ds in pet])
    lesion = hd.seg.SegmentDescription(
        1, "Lesion", codes.SCT.MorphologicallyAbnormalStructure, codes.SCT.Neoplasm, "MANUAL"
    )
    uids = [generate_uid(), generate_uid()]
    made = hd.seg.Segmentation(
        pet, outline, "BINARY", [lesion], uids[0], 300, uids[1], 1, "Maker", "Model", "1", "1"
    )
    made.save_as(path)


def test_dicom_layout(tmp_path: Path) -> None:
    """As TCIA hands it out: a folder a series, SUV by the headers, lesions as DICOM SEG."""
    study = tmp_path / "PETCT_0003" / "03-23-2003-NA-PET-CT whole body-04443"
    uids: dict[str, Any] = {"study_uid": generate_uid(), "frame_of_reference": generate_uid()}
    write_ct_series(study / "2.000000-CT", slices=10, **uids)
    pet = write_pet(study / "3.000000-PET corr.", **uids)
    write_lesion(study / "300.000000-Segmentation" / "1-1.dcm", pet)
    (pair,) = read_autopet(tmp_path)
    assert pair.patient.startswith("PETCT_0003_03-23-2003")
    assert pair.ct.voxels.shape == (10, 64, 64)
    # an hour after the injection, by hand
    suv = HOT * 1000 * KG / (INJECTED_BQ * 2 ** (-3600 / 6586.2))
    assert pair.suv.voxels.max() == pytest.approx(suv, rel=1e-5)
    assert pair.lesions is not None
    np.testing.assert_array_equal(pair.lesions.voxels > 0, pair.suv.voxels > 0)


def test_study_without_pet_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "PETCT_0002" / "study").mkdir(parents=True)
    assert list(read_autopet(tmp_path)) == []
