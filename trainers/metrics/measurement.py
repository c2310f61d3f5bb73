"""The record of a metric, and the two things that no metric may leave implicit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from trainers.errors import TrainersError

Array = npt.NDArray[Any]
"""Images or volumes of any numeric type."""
Floats = npt.NDArray[np.float64]
JSON = str | int | float | bool | None | list["JSON"] | dict[str, "JSON"]


class MetricError(TrainersError):
    """The metric has no meaning for what it was given."""


@dataclass(frozen=True)
class DataRange:
    """The values that count; images are clipped to it before they are compared.

    A display window is a data range, and so is a scanner's whole range. Either end may be infinite
    for metrics that need no extent.

    Attributes:
        low: the smallest value.
        high: the largest value.
        unit: of both, as in `dicom_profiles.volume.UNITS`.
    """

    low: float
    high: float
    unit: str

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise MetricError(f"A data range wants low < high, got {self.low} and {self.high}.")

    @property
    def extent(self) -> float:
        """High - low; refuses a range that has no end."""
        if math.isinf(self.high - self.low):
            raise MetricError(
                f"This metric wants a range with two ends, got {self.low} to {self.high}; "
                "give the window or the scanner's range."
            )
        return self.high - self.low

    def clip(self, image: Array) -> Floats:
        """`image` as float64, held inside the range."""
        return np.clip(np.asarray(image, dtype=np.float64), self.low, self.high)

    def scale(self, image: Array) -> Floats:
        """`image` clipped and mapped to [0, 1]."""
        extent = self.extent
        return (self.clip(image) - self.low) / extent


CT_RANGE = DataRange(-1024, 3071, "HU")
"""All of a 12-bit CT; SynthRAD 2025's range."""
CHEST_WINDOW = DataRange(-1350, 150, "HU")
"""Centre -600, width 1500, as ldct-benchmark evaluates chests."""
ABDOMEN_WINDOW = DataRange(-150, 250, "HU")
"""Centre 50, width 400."""
ALL_HU = DataRange(-math.inf, math.inf, "HU")
"""Nothing clipped."""
ALL_SUV = DataRange(-math.inf, math.inf, "SUVbw")
"""Nothing clipped."""


@dataclass(frozen=True, eq=False)
class Mask:
    """Which voxels count.

    Attributes:
        description: in words, for the record.
        voxels: true where a voxel counts, shaped as the image; none means every voxel.
    """

    description: str
    voxels: npt.NDArray[np.bool_] | None = None

    def inside(self, image: Array) -> npt.NDArray[np.bool_]:
        """True where `image` counts; refuses a mask of another shape or without a voxel."""
        if self.voxels is None:
            return np.ones(image.shape, dtype=bool)
        if self.voxels.shape != image.shape:
            raise MetricError(
                f"The mask {self.description!r} has shape {self.voxels.shape}, the image "
                f"{image.shape}; resample one to the other."
            )
        if not self.voxels.any():
            raise MetricError(f"The mask {self.description!r} holds no voxel; leave this one out.")
        return self.voxels.astype(bool)

    def fill(self, image: Array, value: float) -> Array:
        """`image` with `value` outside."""
        return np.where(self.inside(image), image, value)


EVERY_VOXEL = Mask("every voxel")


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images that are measured together, each with the pixels of it that count.

    Attributes:
        images: (n, rows, columns), at least one.
        mask: of all of them, (n, rows, columns) or every voxel.
    """

    images: Array
    mask: Mask

    def __post_init__(self) -> None:
        if self.images.ndim != 3 or len(self.images) == 0:
            raise MetricError(
                f"Images (n, rows, columns), at least one, are wanted, got {self.images.shape}."
            )

    def __len__(self) -> int:
        return len(self.images)

    def filled(self, data_range: DataRange) -> Floats:
        """The images scaled to [0, 1], 0 outside the mask."""
        return data_range.scale(self.mask.fill(self.images, data_range.low))


def mask_of_both(real: ImageSet, synthetic: ImageSet) -> str:
    """The description of the sets' masks; refuses two that differ."""
    first, second = real.mask.description, synthetic.mask.description
    if first != second:
        raise MetricError(f"Sets masked in one way are wanted, got {first!r} and {second!r}.")
    return first


@dataclass(frozen=True)
class Measurement:
    """One number with all that is needed to compare it with another.

    Attributes:
        name: of the metric.
        value: the number; NaN where it is not defined (an organ that is in neither image).
        unit: of the value; "1" for none.
        data_range: the values that counted; none for metrics that see no intensities.
        mask: which voxels counted, in words.
        n: voxels, images or cases that went in.
        spread: standard deviation over resamplings, where there were some.
        settings: what else the number depends on.
    """

    name: str
    value: float
    unit: str
    data_range: DataRange | None
    mask: str
    n: int
    spread: float | None = None
    settings: Mapping[str, JSON] = field(default_factory=dict)

    def to_json(self) -> dict[str, JSON]:
        """The record for a JSON file; numbers that are not finite become null."""
        ends = self.data_range
        return {
            "name": self.name,
            "value": finite_or_none(self.value),
            "unit": self.unit,
            "data_range": None
            if ends is None
            else [finite_or_none(ends.low), finite_or_none(ends.high), ends.unit],
            "mask": self.mask,
            "n": self.n,
            "spread": None if self.spread is None else finite_or_none(self.spread),
            "settings": dict(self.settings),
        }


def finite_or_none(value: float) -> float | None:
    """`value`, or none where JSON has no number for it."""
    return float(value) if math.isfinite(value) else None


def clipped_pair(real: Array, synthetic: Array, data_range: DataRange) -> tuple[Floats, Floats]:
    """Both images clipped to the range; refuses other shapes and values that are no numbers."""
    if real.shape != synthetic.shape:
        raise MetricError(
            f"Two images of one shape are wanted, got {real.shape} and {synthetic.shape}; "
            "resample one to the other's grid."
        )
    if np.isnan(real).any() or np.isnan(synthetic).any():
        raise MetricError("An image holds NaN; find out where it comes from before measuring.")
    return data_range.clip(real), data_range.clip(synthetic)
