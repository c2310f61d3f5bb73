"""Keep what the methods make, as NIfTI files: synthetic images for the ten-layer protocol."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import nibabel
import numpy as np

from trainers.evaluation.case import Case, Method, Voxels

LPS_TO_RAS = np.diag((-1.0, -1.0, 1.0, 1.0))


def saved(methods: Mapping[str, Method], folder: Path) -> dict[str, Method]:
    """The same methods; whatever they make goes to FOLDER/METHOD/PATIENT, CASE.nii.gz too."""
    return {name: _saved(method, folder / filename(name)) for name, method in methods.items()}


def _saved(method: Method, folder: Path) -> Method:
    def translate(case: Case) -> Voxels:
        output = method(case)
        save(case, output, folder / f"{filename(f'{case.patient}, {case.name}')}.nii.gz")
        return output

    return translate


def save(case: Case, output: Voxels, path: Path) -> None:
    """One output (slices, rows, columns) on the truth's grid, in its unit, as float32."""
    affine = LPS_TO_RAS @ case.truth.affine[:, [2, 1, 0, 3]]  # of (column, row, slice)
    voxels = np.asarray(output, dtype=np.float32).transpose(2, 1, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(voxels, affine), path)


def filename(name: str) -> str:
    """The name without what a file's name cannot hold; dots end a patient's name."""
    return re.sub(r"[^\w ,%+-]", "_", name)
