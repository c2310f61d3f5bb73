"""From a mammogram of any size to the square that the network sees, and exactly back.

The frame is padded on the side away from the chest wall (below, where it is wider than high), so
the breast keeps its place at the wall. Cutting the padding off again is exact. Grey values are
counted from the middle of the breast in units of its spread, so that windows, bit depths and
vendors' slopes do not matter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from pipelines.errors import InputError, NothingToTranslate

Plane = npt.NDArray[np.float32]
"""(rows, columns) float32."""
Region = npt.NDArray[np.bool_]
"""(rows, columns) bool."""

SIZE = 256
"""Rows and columns that the network sees."""

BACKGROUND_SHARE = 0.03
"""Grey values up to this share of the range above the darkest are the air beside the breast."""

SMALLEST_BREAST_SHARE = 0.02
"""Of the square; less is no mammogram."""

SPREADS = 2.0
"""The network sees the median of the breast as 0.5 and this many spreads (10 % to 90 %) as 1."""


@dataclass(frozen=True)
class Frame:
    """How a mammogram was put into a square.

    Attributes:
        rows, columns: of the mammogram.
        chest_wall: "left" or "right" in the image.
    """

    rows: int
    columns: int
    chest_wall: str

    @property
    def side(self) -> int:
        """Rows and columns of the square."""
        return max(self.rows, self.columns)

    def pad(self, image: Plane, added: float = 0.0) -> Plane:
        """Put an image into the square; what is added has one value."""
        if image.shape != (self.rows, self.columns):
            raise InputError(
                f"An image of {self.rows} x {self.columns} is wanted, got {image.shape}."
            )
        beside, below = self.side - self.columns, self.side - self.rows
        left, right = (0, beside) if self.chest_wall == "left" else (beside, 0)
        return np.pad(image, ((0, below), (left, right)), constant_values=added)

    def cut(self, square: Plane) -> Plane:
        """Take the image out of the square again."""
        if square.shape != (self.side, self.side):
            raise InputError(f"A square of {self.side} is wanted, got {square.shape}.")
        first = 0 if self.chest_wall == "left" else self.side - self.columns
        return square[: self.rows, first : first + self.columns]


@dataclass(frozen=True)
class Scale:
    """Grey values as the network sees them.

    Attributes:
        middle: median of the breast, in the image's grey values.
        spread: from 10 % to 90 % of the breast.
    """

    middle: float
    spread: float

    def apply(self, image: Plane) -> Plane:
        """Grey values to 0..1, clipped; air is not told apart here."""
        seen = 0.5 + (image - np.float32(self.middle)) / np.float32(2 * SPREADS * self.spread)
        return np.asarray(np.clip(seen, 0.0, 1.0), np.float32)


@dataclass(frozen=True, eq=False)
class Framed:
    """A mammogram as the network sees it.

    Attributes:
        frame: how to get back.
        scale: of the grey values.
        seen: (SIZE, SIZE), 0 to 1, air 0.
        breast: (SIZE, SIZE).
        air: grey values up to this are air.
    """

    frame: Frame
    scale: Scale
    air: float
    seen: Plane
    breast: Region


def framed(image: Plane) -> Framed:
    """Put a mammogram, bright where it is dense, into the square of the network.

    Raises:
        NothingToTranslate: no breast is in it.
    """
    small = shrunk(image)
    air = air_below(small)
    rows, columns = image.shape
    frame = Frame(rows, columns, chest_wall(small > air))
    added = min(float(image.min()), 0.0)  # padding must not be brighter than air
    square = resized(frame.pad(image, added), SIZE)
    breast = breast_region(square, air)
    scale = scale_of(square[breast])
    seen = np.where(breast, scale.apply(square), np.float32(0.0))
    return Framed(frame, scale, air, seen, breast)


def scale_of(values: npt.NDArray[np.float32]) -> Scale:
    """The scale that the grey values of a breast ask for, (n,)."""
    low, middle, high = (float(value) for value in np.quantile(values, (0.1, 0.5, 0.9)))
    return Scale(middle, max(high - low, 1e-6))


def shrunk(image: Plane) -> Plane:
    """At most SIZE pixels along the longer side, ratio kept, each the mean of what it covers."""
    factor = SIZE / max(image.shape)
    rows, columns = (max(1, round(length * min(factor, 1.0))) for length in image.shape)
    return _resized(image, rows, columns, Image.Resampling.BOX)


def air_below(image: Plane) -> float:
    """Grey value up to which a pixel is air: a little above the darkest."""
    darkest, brightest = (float(v) for v in np.quantile(image, (0.001, 0.999)))
    if not brightest > darkest:
        raise NothingToTranslate("A mammogram has bright and dark parts, but this image is even.")
    return darkest + BACKGROUND_SHARE * (brightest - darkest)


def chest_wall(inside: Region) -> str:
    """The side of the image at which there is more breast."""
    columns = inside.mean(axis=0)
    half = max(1, len(columns) // 2)
    return "left" if columns[:half].sum() >= columns[-half:].sum() else "right"


def breast_region(image: Plane, air: float) -> Region:
    """The largest connected part above air, its holes filled.

    Raises:
        NothingToTranslate: it is too small to be a breast.
    """
    parts, count = ndimage.label(image > air)
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    sizes[0] = 0
    if sizes.max() < SMALLEST_BREAST_SHARE * image.size:
        raise NothingToTranslate(
            "No breast was found in the image: hardly anything is brighter than air."
        )
    filled: Region = ndimage.binary_fill_holes(parts == sizes.argmax())
    return filled


def resized(image: Plane, side: int) -> Plane:
    """(side, side): means of what each pixel covers when smaller, linear when larger."""
    way = Image.Resampling.BOX if side <= min(image.shape) else Image.Resampling.BILINEAR
    return _resized(image, side, side, way)


def _resized(image: Plane, rows: int, columns: int, way: Image.Resampling) -> Plane:
    if image.shape == (rows, columns):
        return image
    picture = Image.fromarray(np.ascontiguousarray(image, dtype=np.float32))
    return np.array(picture.resize((columns, rows), way), dtype=np.float32)
