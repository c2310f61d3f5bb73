"""A CT slice seen in blocks: local means, local noise, tissue. Cheap enough for every slice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

BLOCK_PIXELS = 8
"""Side of a block, in pixels; 4 to 8 mm in a body scan."""

SMALL_BLOCK_PIXELS, SMALL_IMAGE_PIXELS = 4, 128
"""Images with fewer rows or columns than the second are cut into blocks of the first."""

PADDING_BELOW_HU = -1100.0
"""No tissue is so light: what is below is padding, and so is a block that touches it."""

TISSUES: dict[str, tuple[float, float]] = {
    "air": (PADDING_BELOW_HU, -850.0),
    "lung": (-850.0, -400.0),
    "fat": (-150.0, -50.0),
    "soft": (-10.0, 130.0),
    "bone": (250.0, 2500.0),
}
"""Ranges of a block's mean in HU; what lies between is a border and counts for none."""

BODY_ABOVE_HU = -250.0
"""Blocks above this belong to the body, lung left out."""

Grid = npt.NDArray[np.float64]
"""(block rows, block columns) float64."""


@dataclass(frozen=True, eq=False)
class Blocks:
    """One slice in blocks.

    Attributes:
        mean: mean of each block, HU.
        deviation: standard deviation within each block, HU.
        fine: mean size of the diagonal second difference in each block, HU: the finest noise.
        valid: blocks without padding.
    """

    mean: Grid
    deviation: Grid
    fine: Grid
    valid: npt.NDArray[np.bool_]

    def of(self, tissue: str) -> npt.NDArray[np.bool_]:
        """Blocks of one of `TISSUES`."""
        low, high = TISSUES[tissue]
        return self.valid & (self.mean > low) & (self.mean < high)

    @property
    def body(self) -> npt.NDArray[np.bool_]:
        """Blocks of the body, metal left out."""
        return self.valid & (self.mean > BODY_ABOVE_HU) & (self.mean < TISSUES["bone"][1])


def blocks(image: npt.NDArray[np.float32]) -> Blocks:
    """Cut a slice into blocks; what is left over at the right and below is not looked at.

    Args:
        image: (rows, columns), HU; smaller than a block is one block.
    """
    image = np.ascontiguousarray(image)
    height, width = _block_shape(image)
    mean = _block_sums(image, height, width) / (height * width)
    square = _block_sums(image * image, height, width) / (height * width)
    difference = np.zeros_like(image)
    if min(image.shape) > 1:
        difference[1:, 1:] = image[1:, 1:] + image[:-1, :-1] - image[1:, :-1] - image[:-1, 1:]
    return Blocks(
        mean=mean,
        deviation=np.sqrt(np.maximum(square - mean**2, 0.0)),
        fine=_block_sums(np.abs(difference), height, width) / (height * width),
        valid=_block_minima(image, height, width) > PADDING_BELOW_HU,
    )


def block_means(image: npt.NDArray[np.float32]) -> Grid:
    """Only the mean of each block, HU."""
    height, width = _block_shape(image)
    return _block_sums(np.ascontiguousarray(image), height, width) / (height * width)


def _block_shape(image: npt.NDArray[np.float32]) -> tuple[int, int]:
    """Rows and columns of a block in this image."""
    side = BLOCK_PIXELS if min(image.shape) >= SMALL_IMAGE_PIXELS else SMALL_BLOCK_PIXELS
    return min(side, image.shape[0]), min(side, image.shape[1])


def _by_rows(image: npt.NDArray[np.float32], height: int, width: int) -> npt.NDArray[np.float32]:
    """(block rows, rows in a block, columns); along rows first is five times faster in NumPy."""
    rows, columns = image.shape[0] // height, image.shape[1] // width
    return image[: rows * height, : columns * width].reshape(rows, height, columns * width)


def _block_sums(image: npt.NDArray[np.float32], height: int, width: int) -> Grid:
    sums = _by_rows(image, height, width).sum(axis=1)
    return np.asarray(sums.reshape(len(sums), -1, width).sum(axis=2), np.float64)


def _block_minima(image: npt.NDArray[np.float32], height: int, width: int) -> Grid:
    minima = _by_rows(image, height, width).min(axis=1)
    return np.asarray(minima.reshape(len(minima), -1, width).min(axis=2), np.float64)
