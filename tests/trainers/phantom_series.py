"""A small series with noise in it, in which the simulator can be calibrated."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
from numpy.typing import NDArray

from trainers.readers.series import TrainingSeries
from trainers.simulation.low_dose import Kernel, Scanner, inserted_noise
from trainers.simulation.projection import ParallelBeam

SIZE, SPACING_MM = 96, 2.0


def body() -> NDArray[np.float32]:
    """An ellipse of soft tissue with a bone: (SIZE, SIZE) HU, without noise."""
    down, right = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    image = np.full((SIZE, SIZE), -1000.0, np.float32)
    image[(down / 36) ** 2 + (right / 42) ** 2 < 1] = 50.0
    image[(down - 28) ** 2 + right**2 < 16] = 400.0
    return image


def phantom_series(slices: int = 5, seed: int = 0, name: str = "phantom") -> TrainingSeries:
    """Repeats of the body, each with noise of its own."""
    scanner = Scanner(ParallelBeam(SIZE, SPACING_MM, 120), Kernel(0.15), 3e5)
    random = np.random.default_rng(seed)
    images = [body() + inserted_noise(scanner, body(), 0.5, random) for _ in range(slices)]
    return TrainingSeries(name, name, np.stack(images), SPACING_MM, 3.0)


def write_nifti(series: TrainingSeries, folder: Path) -> Path:
    """The series as a NIfTI file named after it."""
    voxels = np.rint(series.slices).astype(np.int16).transpose(2, 1, 0)
    zooms = (SPACING_MM, SPACING_MM, series.slice_spacing_mm, 1.0)
    path = folder / f"{series.name}.nii.gz"
    nibabel.save(nibabel.Nifti1Image(voxels, np.diag(zooms)), path)
    return path
