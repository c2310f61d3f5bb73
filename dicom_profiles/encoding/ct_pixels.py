"""HU to stored values: nothing saturates, padding comes back as the source had it.

PS3.3 C.8.2.1 (CT Image), C.7.5.1.1.2 (Pixel Padding).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from dicom_profiles.errors import DerivedObjectError
from dicom_profiles.sources.pixels import (
    NOT_A_CT_NUMBER_HU,
    PaddingFacts,
    declared_padding,
    pixel_digest,
)

LARGEST_SLOPE = 1.0
"""Rounding costs half a slope, and values must come back to within 0.5 HU."""
Limits: TypeAlias = tuple[int, int]
"""Lowest and highest of some stored values."""
SIGNED_RANGE: Limits = (-0x8000, 0x7FFF)
UNSIGNED_RANGE: Limits = (0, 0xFFFF)


@dataclass(frozen=True)
class CtEncoding:
    """How the HU of one slice are stored: 16 bits, all of them used.

    Attributes:
        slope: Rescale Slope as written.
        intercept: Rescale Intercept as written.
        signed: whether stored values are two's complement.
    """

    slope: str
    intercept: str
    signed: bool

    @property
    def value_range(self) -> Limits:
        """Lowest and highest value that can be stored."""
        return SIGNED_RANGE if self.signed else UNSIGNED_RANGE

    @property
    def dtype(self) -> str:
        """NumPy's name of the stored values."""
        return "<i2" if self.signed else "<u2"

    def holds(self, lowest_hu: float, highest_hu: float, room: Limits) -> bool:
        """Whether HU from lowest to highest can be stored within this room."""
        lowest, highest = (
            (hu - float(self.intercept)) / float(self.slope) for hu in (lowest_hu, highest_hu)
        )
        return room[0] <= lowest and highest <= room[1]


@dataclass(frozen=True, eq=False)
class StoredSlice:
    """Stored values of one slice.

    Attributes:
        pixels: (rows, columns), 16 bits, little-endian.
        encoding: how the HU are stored.
        digest: SHA-256 of the pixels, hexadecimal.
    """

    pixels: npt.NDArray[np.int16] | npt.NDArray[np.uint16]
    encoding: CtEncoding
    digest: str


def choose_encoding(source: Dataset, lowest_hu: float, highest_hu: float) -> CtEncoding:
    """The encoding for HU in this range, as near to the source's as holds it.

    16 bits always: a source of 12 bits cannot hold what a network makes of metal and air
    beyond its own range.

    Raises:
        DerivedObjectError: no encoding holds the values to within 0.5 HU.
    """
    own = slope, intercept = str(source.RescaleSlope), str(source.RescaleIntercept)
    if not 0 < float(slope) <= LARGEST_SLOPE:
        slope = "1"
    padding = declared_padding(source)
    signed = padding is None or padding[1] <= SIGNED_RANGE[1]
    in_own, in_other = _rooms(SIGNED_RANGE if signed else UNSIGNED_RANGE, padding)
    low, high = in_other
    middle = str(-((low + high + 1) // 2))  # as many HU below 0 as above
    lowest = min(math.floor(lowest_hu), math.floor(NOT_A_CT_NUMBER_HU) - 1)  # fill stays fill
    fitted = str(lowest - low)
    for rescale in ((slope, intercept), ("1", intercept), ("1", middle), ("1", fitted)):
        encoding = CtEncoding(*rescale, signed)
        if encoding.holds(lowest_hu, highest_hu, in_own if rescale == own else in_other):
            return encoding
    raise DerivedObjectError(
        "Values should fit 16 bits with 1 HU a step, got "
        f"{lowest_hu:.0f} to {highest_hu:.0f} HU; the pipeline's output is wrong."
    )


def _rooms(value_range: Limits, padding: Limits | None) -> tuple[Limits, Limits]:
    """Where measured values may lie: with the source's own rescale, and with another.

    On one side of padding, unless it is in the middle and one value, or the source's rescale says
    that nothing was measured there.
    """
    if padding is None:
        return value_range, value_range
    low, high = value_range
    sides = (low, padding[0] - 1), (padding[1] + 1, high)
    wider = max(sides, key=lambda side: side[1] - side[0])
    if padding[0] <= low or padding[1] >= high:
        return wider, wider
    return value_range, value_range if padding[0] == padding[1] else wider


def store_slice(
    hu: npt.NDArray[np.float32], source: Dataset, padding: PaddingFacts | None
) -> StoredSlice:
    """Stored values of a slice with their digest; arguments and errors as `store`."""
    pixels, encoding = store(hu, source, padding)
    return StoredSlice(pixels, encoding, pixel_digest(pixels))


def store(
    hu: npt.NDArray[np.float32], source: Dataset, padding: PaddingFacts | None
) -> tuple[npt.NDArray[np.int16] | npt.NDArray[np.uint16], CtEncoding]:
    """Stored values (rows, columns) of a slice and how they are encoded.

    Args:
        hu: (rows, columns) in HU.
        source: header of the source slice.
        padding: of the source slice; its stored values come back unchanged.

    Raises:
        DerivedObjectError: values are not finite or do not fit.
    """
    lowest, highest = float(hu.min()), float(hu.max())
    if not np.isfinite(lowest + highest):
        raise DerivedObjectError("Every value should be a number, got NaN or infinity in a slice.")
    encoding = choose_encoding(source, lowest, highest)
    slope, intercept = np.float32(encoding.slope), np.float32(encoding.intercept)
    exact = hu - intercept
    if slope != 1:
        exact /= slope
    declared = declared_padding(source)
    if padding is None and declared is None:  # most slices: nothing to restore, nothing to avoid
        return np.rint(exact, out=exact).astype(encoding.dtype), encoding
    stored = np.rint(exact).astype(np.int32)
    mask = None if padding is None else _restore(stored, padding, source, encoding)
    if declared is not None:
        _keep_out_of_padding(stored, exact, mask, declared)
    return stored.astype(encoding.dtype), encoding


def _restore(
    stored: npt.NDArray[np.int32], padding: PaddingFacts, source: Dataset, encoding: CtEncoding
) -> npt.NDArray[np.bool_]:
    """Put the source's padding into stored values, in place; returns its mask.

    Declared padding keeps its stored value, undeclared fill its HU, as far down as 16 bits go.
    """
    mask = padding.restore(stored)
    rescale = str(source.RescaleSlope), str(source.RescaleIntercept)
    if rescale == (encoding.slope, encoding.intercept):
        return mask
    declared = declared_padding(source)
    fill = mask if declared is None else mask & ~_within(stored, declared)
    hu = stored[fill] * float(rescale[0]) + float(rescale[1])
    again = np.rint((hu - float(encoding.intercept)) / float(encoding.slope))
    stored[fill] = np.clip(again, *encoding.value_range)
    return mask


def _within(stored: npt.NDArray[np.int32], limits: Limits) -> npt.NDArray[np.bool_]:
    """Which values lie within limits."""
    low, high = limits
    return stored == low if low == high else (stored >= low) & (stored <= high)


def _keep_out_of_padding(
    stored: npt.NDArray[np.int32],
    exact: npt.NDArray[np.float32],
    mask: npt.NDArray[np.bool_] | None,
    declared: Limits,
) -> None:
    """Move measured pixels that would read as padding to the nearest value that does not."""
    low, high = declared
    collides = _within(stored, declared)
    if mask is not None:
        collides &= ~mask
    if collides.any():
        below = exact[collides] < (low + high) / 2
        stored[collides] = np.where(below, low - 1, high + 1)
