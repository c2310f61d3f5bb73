"""The whole body at a glance: the coronal maximum intensity projection of a PET."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from dicom_profiles.reading import open_series

LONGER_SIDE = 640
"""Of the picture, in pixels."""


@dataclass(frozen=True)
class Projection:
    """The largest value of every line from front to back.

    Attributes:
        values: (slices, columns) float32 in the unit of the images; the patient's head above,
            the right side of the patient on the left, as in an axial slice.
        spacing: mm from row to row and from column to column of `values`.
    """

    values: npt.NDArray[np.float32]
    spacing: tuple[float, float]

    def in_proportion(self) -> npt.NDArray[np.float32]:
        """The values with square pixels, `LONGER_SIDE` high or wide."""
        size_mm = np.multiply(self.values.shape, self.spacing)
        height, width = np.maximum(1, np.rint(size_mm / size_mm.max() * LONGER_SIDE)).astype(int)
        resized = Image.fromarray(self.values).resize((int(width), int(height)))
        return np.asarray(resized, dtype=np.float32)


def coronal(paths: Sequence[Path]) -> Projection:
    """Project axial slices from front to back, one decoded slice in memory at a time.

    Raises:
        FileNotFoundError: a file is gone.
        ProfileError: the files are no stack of slices.
    """
    source = open_series(paths)
    values = np.stack([image.max(axis=0) for image in source.slices()])
    across, along = source.affine[:3, 2], source.affine[:3, 0]  # LPS: +x is left, +z is the head
    if along[2] > 0:
        values = values[::-1]
    if across[0] < 0:
        values = values[:, ::-1]
    spacing = (float(np.linalg.norm(along)), float(np.linalg.norm(across)))
    return Projection(np.ascontiguousarray(values), spacing)
