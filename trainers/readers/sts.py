"""Registered T1-weighted MR and CT of one patient, as `ibsi_validation` publishes the sarcomas.

Files `STS_004_CT.nii.gz` and `STS_004_MR_T1.nii.gz`, each on a grid of its own in one world frame
(10.7937/K9/TCIA.2015.7GO2GSKS). The CT is brought to the grid of the MR.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from nibabel.processing import resample_from_to

from trainers.readers.mr_ct import MrCtSeries
from trainers.readers.patients import refuse_unknown

AIR_HU = -1000.0


def read_sts(root: Path, leave_out: Sequence[str] = ()) -> Iterator[MrCtSeries]:
    """Every patient that has both, in the order of their names.

    Args:
        root: the folder of the files.
        leave_out: patients not to read.

    Raises:
        SourceError: one who is to be left out is not there, a slip that would train on him.
    """
    ending = "_MR_T1.nii.gz"
    patients = [path.name.removesuffix(ending) for path in sorted(root.glob(f"STS_*{ending}"))]
    refuse_unknown(leave_out, patients, f"Patients of {root} are wanted to leave out")
    for patient in patients:
        if patient not in leave_out:
            yield read_sts_patient(root, patient)


def read_sts_patient(root: Path, patient: str) -> MrCtSeries:
    """The T1 of one patient (input `T1`) with the CT on its grid, linearly interpolated."""
    mr: Any = nibabel.load(root / f"{patient}_MR_T1.nii.gz")
    ct: Any = nibabel.load(root / f"{patient}_CT.nii.gz")
    on_mr: Any = resample_from_to(ct, mr, order=1, cval=AIR_HU)
    columns_mm, _, slices_mm = (float(size) for size in mr.header.get_zooms()[:3])
    return MrCtSeries(
        patient, {"T1": _slices(mr)}, _slices(on_mr), pixel_mm=columns_mm, slice_mm=slices_mm
    )


def _slices(image: Any) -> np.ndarray[Any, np.dtype[np.float32]]:
    """(x, y, z) to (slices, rows, columns)."""
    return np.ascontiguousarray(np.asarray(image.dataobj, np.float32).transpose(2, 1, 0))
