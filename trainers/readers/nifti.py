"""NIfTI files with HU: one file a series, the file's stem is the patient."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np

from trainers.readers.series import TrainingSeries, cleaned


def read_nifti(path: Path) -> TrainingSeries:
    """Read one NIfTI file: slices from the feet up, rows from front to back, columns to the left.

    Args:
        path: `.nii` or `.nii.gz`, HU; its own axes may point wherever its affine says.
    """
    image = nibabel.as_closest_canonical(nibabel.load(path))
    columns_mm, _, slices_mm = (float(z) for z in image.header.get_zooms()[:3])
    voxels = np.asarray(image.dataobj, dtype=np.float32).transpose(2, 1, 0)[:, ::-1, ::-1]
    stem = path.name.split(".")[0]
    return TrainingSeries(stem, stem.removesuffix("_CT"), cleaned(voxels), columns_mm, slices_mm)
