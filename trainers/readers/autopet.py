"""FDG-PET-CT-Lesions (TCIA, 10.7937/gkr0-xv29): its NIfTI layout, and its DICOM layout.

NIfTI: one folder a patient, in it one a study, with `SUV.nii.gz`, `CTres.nii.gz` (the CT on the
grid of the PET) and `SEG.nii.gz` (lesions). `CT.nii.gz`, where it is there, is the CT on its own
grid and is taken instead. DICOM: one folder a patient, below it one a study, below that one a
series of CT, PT and SEG; SUV is then worked out from the headers, with every check of
`dicom_profiles.suv`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom

from dicom_profiles.errors import ProfileError
from dicom_profiles.reading import read_series
from dicom_profiles.suv import read_suv_series
from dicom_profiles.volume import Volume
from trainers.readers.ct_pet import CtPetPair, read_volume

log = logging.getLogger(__name__)


def read_autopet(root: Path) -> Iterator[CtPetPair]:
    """Every study of the collection, in whichever of its layouts it lies there."""
    for patient in sorted(path for path in root.iterdir() if path.is_dir()):
        for study in sorted(path for path in patient.iterdir() if path.is_dir()):
            name = f"{patient.name}_{study.name}"[:64]
            if (study / "SUV.nii.gz").exists():
                yield _nifti_study(study, name)
            else:
                yield from _dicom_study(study, name)


def _nifti_study(study: Path, name: str) -> CtPetPair:
    own = study / "CT.nii.gz"
    ct = read_volume(own if own.exists() else study / "CTres.nii.gz", "HU")
    lesions = study / "SEG.nii.gz"
    return CtPetPair(
        name,
        ct,
        read_volume(study / "SUV.nii.gz", "SUVbw"),
        read_volume(lesions, "1") if lesions.exists() else None,
    )


def _dicom_study(study: Path, name: str) -> Iterator[CtPetPair]:
    """The CT and the PET of a study; one whose SUV cannot be worked out is left out and named."""
    found = {_modality(folder): folder for folder in sorted(_series_folders(study))}
    if not {"CT", "PT"} <= found.keys():
        log.warning("%s has no CT with a PET and is left out", name)
        return
    try:
        suv = read_suv_series(found["PT"])
        lesions = _lesions(found["SEG"], suv) if "SEG" in found else None
        yield CtPetPair(name, read_series(found["CT"]), suv, lesions)
    except ProfileError as error:
        log.warning("%s is left out: %s", name, error)


def _lesions(folder: Path, suv: Volume) -> Volume:
    """The frames of a segmentation (PS3.3 A.51), each put at the PET slice nearest to it."""
    ds = pydicom.dcmread(next(iter(sorted(folder.glob("*.dcm")))))
    frames = np.atleast_3d(ds.pixel_array).reshape(-1, int(ds.Rows), int(ds.Columns))
    if frames.shape[1:] != suv.voxels.shape[1:]:
        raise ProfileError(
            f"The lesions should have the matrix of the PET, {suv.voxels.shape[1:]}, got "
            f"{frames.shape[1:]}."
        )
    voxels = np.zeros_like(suv.voxels)
    to_index = np.linalg.inv(suv.affine)
    for frame, groups in zip(frames, ds.PerFrameFunctionalGroupsSequence, strict=True):
        position = [float(v) for v in groups.PlanePositionSequence[0].ImagePositionPatient]
        index = int(np.clip(round((to_index @ [*position, 1.0])[0]), 0, len(voxels) - 1))
        voxels[index] = np.maximum(voxels[index], frame)
    return replace(suv, voxels=voxels, unit="1")


def _series_folders(study: Path) -> set[Path]:
    return {path.parent for path in study.rglob("*.dcm")}


def _modality(folder: Path) -> str:
    first = next(iter(sorted(folder.glob("*.dcm"))))
    return str(pydicom.dcmread(first, stop_before_pixels=True).get("Modality", ""))
