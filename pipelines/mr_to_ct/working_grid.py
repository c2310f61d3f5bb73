"""From the pixels of a series to those that a network was trained with, and back, by slices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from pipelines.contract import Slice

NEAR_ENOUGH = 0.16
"""Pixels within this share of the working size stay: networks were trained with such zooms."""

LARGEST_SIDE = 1024
"""No image is made larger than this."""


@dataclass(frozen=True)
class WorkingGrid:
    """The two sizes of a slice.

    Attributes:
        native: rows, columns of the series.
        working: rows, columns as the network sees it.
        pixel_mm: distance of rows, of columns, as the network sees it.
    """

    native: tuple[int, int]
    working: tuple[int, int]
    pixel_mm: tuple[float, float]

    @classmethod
    def of(
        cls, shape: tuple[int, int, int], affine: npt.NDArray[np.float64], pixel_mm: float
    ) -> WorkingGrid:
        """The grid for a series.

        Args:
            shape: slices, rows, columns.
            affine: (4, 4), of the series.
            pixel_mm: distance of pixels that the network was trained with.
        """
        rows_mm, columns_mm = (float(np.linalg.norm(affine[:3, axis])) for axis in (1, 2))
        native = shape[1], shape[2]
        working = tuple(
            _side(side, size / pixel_mm)
            for side, size in zip(native, (rows_mm, columns_mm), strict=True)
        )
        seen_mm = rows_mm * native[0] / working[0], columns_mm * native[1] / working[1]
        return cls(native, (working[0], working[1]), seen_mm)

    def to_working(self, image: Slice) -> Slice:
        """An image of the series as the network sees it; exact zeros of padding stay zeros."""
        if self.native == self.working:
            return image
        seen = _resized(image, self.working)
        padding = _resized((image > 0).astype(np.float32), self.working) < 0.5
        return np.where(padding, np.float32(0.0), seen)

    def to_native(self, image: Slice) -> Slice:
        """What the network made, on the pixels of the series."""
        return image if self.native == self.working else _resized(image, self.native)


def _side(side: int, factor: float) -> int:
    if abs(factor - 1.0) <= NEAR_ENOUGH:
        return side
    return max(1, min(LARGEST_SIDE, round(side * factor)))


def _resized(image: Slice, size: tuple[int, int]) -> Slice:
    """Bilinear, averaging where it shrinks."""
    given = torch.from_numpy(np.ascontiguousarray(image))[None, None]
    made = functional.interpolate(given, size, mode="bilinear", antialias=True)
    return made[0, 0].numpy()
