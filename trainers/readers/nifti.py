"""NIfTI files with HU: one file a series, the file's stem is the patient."""

from __future__ import annotations

import zlib
from pathlib import Path

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError

from trainers.readers.series import TrainingSeries, cleaned
from trainers.training.errors import SourceError


def read_nifti(path: Path) -> TrainingSeries:
    """Read one NIfTI file: slices from the feet up, rows from front to back, columns to the left.

    Args:
        path: `.nii` or `.nii.gz`, HU; its own axes may point wherever its affine says.

    Raises:
        SourceError: it is no NIfTI file, is cut off, or has not three axes.
    """
    try:
        image = nibabel.as_closest_canonical(nibabel.load(path))
        voxels = np.asarray(image.dataobj, dtype=np.float32)
    except (ImageFileError, HeaderDataError, EOFError, zlib.error, ValueError) as error:
        raise SourceError(f"A NIfTI file is wanted, {path} cannot be read: {error}.") from error
    if voxels.ndim != 3:
        raise SourceError(f"A NIfTI file with three axes is wanted, {path} has {voxels.ndim}.")
    columns_mm, _, slices_mm = (float(z) for z in image.header.get_zooms()[:3])
    voxels = voxels.transpose(2, 1, 0)[:, ::-1, ::-1]
    stem = path.name.split(".")[0]
    return TrainingSeries(stem, stem.removesuffix("_CT"), cleaned(voxels), columns_mm, slices_mm)
