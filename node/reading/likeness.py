"""One grid and one scale of values for all cases: pure.

Matrix, slice distance, number of slices, bits, padding and saturation differ between a scanner's
images and derived ones, and would tell them apart without a look at the anatomy. Every case is
brought to the same; where that needs interpolation, all cases are interpolated alike, and only when
it was asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import affine_transform, gaussian_filter

from dicom_profiles.sources.projection import value_range
from node.reading.errors import UnfitMaterial
from node.reading.material import Candidate

Floats = npt.NDArray[np.float32]

MOST_SLICES = 40
"""Slices of a case where nothing else is asked for: what a reader scrolls through in a minute."""
COARSER = 1.25
"""Interpolated pixels are this much larger than the largest: every case is really interpolated."""
SAME_DISTANCE = 0.1
"""Relative difference of slice distances that nobody sees."""
SQUARE = 0.01
"""Relative difference between the sides of a pixel that counts as square."""
LARGEST_SPREAD = 1.5
"""Largest ratio of pixel spacings that patients of different size explain."""
SAME_DIRECTION_DEGREES = 20.0
AIR_HU = -1024.0
TOP_STORED = 65_535
FULL_SCALE = 16_384
"""Stored value of the 99.5 % quantile where values have no unit; four times that is left above."""
BRIGHT_QUANTILE = 99.5

INTERPOLATE = "bring them to one grid with --resample"


@dataclass(frozen=True)
class Likeness:
    """What all cases have in common.

    Attributes:
        shape: slices, rows, columns of every case.
        spacing_mm: between slices, rows, columns after interpolation; None without any.
        low, high: range of CT numbers that every source could hold, in HU; (0, 0) without a unit.
        step: stored values are multiples of this, as in the coarsest source.
    """

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float] | None
    low: float
    high: float
    step: int


def common_likeness(
    candidates: Sequence[Candidate], slices: int | None, *, resample: bool
) -> Likeness:
    """What the cases can all be brought to.

    Args:
        candidates: the cases.
        slices: of each case; as many as all have, up to `MOST_SLICES`, when None.
        resample: interpolate all cases to one grid.

    Raises:
        UnfitMaterial: they cannot look alike; the sentence says what to do.
    """
    modalities = {one.modality for one in candidates}
    if len(modalities) > 1:
        raise UnfitMaterial(f"One modality is wanted, got {', '.join(sorted(modalities))}.")
    _refuse_directions([one.source.affine for one in candidates])
    shapes = [one.source.shape for one in candidates]
    spacings = [spacing_of(one.source.affine) for one in candidates]
    target = _target(spacings) if resample else None
    if target is None:
        _refuse_unlike(shapes, spacings)
    sizes = np.array([_size(*each, target) for each in zip(shapes, spacings, strict=True)])
    count, rows, columns = (int(n) for n in sizes.min(axis=0))
    if slices is not None and not 1 <= slices <= count:
        raise UnfitMaterial(f"1 to {count} slices are possible, as all cases have; got {slices}.")
    shape = (slices or min(count, MOST_SLICES), rows, columns)
    low, high, step = _values(candidates)
    return Likeness(shape, target, low, high, step)


def spacing_of(affine: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    """Distance between slices, rows and columns in mm."""
    dz, dy, dx = np.linalg.norm(affine[:3, :3], axis=0)
    return float(dz), float(dy), float(dx)


def block_length(likeness: Likeness, spacing: tuple[float, float, float]) -> int:
    """How many slices of a source make one case."""
    count = likeness.shape[0]
    if likeness.spacing_mm is None:
        return count
    return int(np.ceil((count - 1) * _factors(spacing, likeness.spacing_mm)[0] - 1e-6)) + 1


def bring_alike(
    block: Floats, spacing: tuple[float, float, float], likeness: Likeness
) -> npt.NDArray[np.uint16]:
    """The pixels of one case as readers get them.

    Args:
        block: (slices, rows, columns), rescaled values.
        spacing: of the block in mm.
        likeness: what all cases have in common.

    Returns:
        `likeness.shape`, little-endian.
    """
    if likeness.spacing_mm is not None:
        block = _interpolated(block, _factors(spacing, likeness.spacing_mm), likeness.shape)
    if likeness.high > likeness.low:
        values = np.clip(block, likeness.low, likeness.high) - likeness.low
    else:
        seen = block[block > 0]
        bright = float(np.percentile(seen, BRIGHT_QUANTILE)) if seen.size else 1.0
        values = np.clip(block * (FULL_SCALE / bright), 0, TOP_STORED)
    steps = np.rint(values / likeness.step) * likeness.step
    return np.asarray(np.clip(steps, 0, TOP_STORED), dtype="<u2")


def _refuse_directions(affines: Sequence[npt.NDArray[np.float64]]) -> None:
    first = affines[0][:3, :3] / np.linalg.norm(affines[0][:3, :3], axis=0)
    least = np.cos(np.radians(SAME_DIRECTION_DEGREES))
    for affine in affines:
        axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
        if (axes * first).sum(axis=0).min() < least:
            raise UnfitMaterial(
                "All cases should show the body from the same side, but slices lie up to "
                f"more than {SAME_DIRECTION_DEGREES:g} degrees apart; choose series of one "
                "orientation and patient position."
            )


def _refuse_unlike(
    shapes: Sequence[tuple[int, int, int]], spacings: Sequence[tuple[float, float, float]]
) -> None:
    matrices = sorted({shape[1:] for shape in shapes})
    if len(matrices) > 1:
        found = ", ".join(f"{rows} x {columns}" for rows, columns in matrices)
        raise UnfitMaterial(f"One matrix is wanted, got {found}; {INTERPOLATE}.")
    distance, rows, columns = np.array(spacings).T
    if distance.max() > distance.min() * (1 + SAME_DISTANCE):
        raise UnfitMaterial(
            f"One slice distance is wanted, got {distance.min():g} to {distance.max():g} mm; "
            f"{INTERPOLATE}."
        )
    if rows.max() > rows.min() * LARGEST_SPREAD:
        raise UnfitMaterial(
            f"Pixels of similar size are wanted, got {rows.min():g} to {rows.max():g} mm; "
            f"{INTERPOLATE}."
        )
    if np.abs(rows / columns - 1).max() > SQUARE:
        raise UnfitMaterial(f"Square pixels are wanted, got others; {INTERPOLATE}.")


def _target(spacings: Sequence[tuple[float, float, float]]) -> tuple[float, float, float]:
    distance = [spacing[0] for spacing in spacings]
    pixel = COARSER * max(max(spacing[1:]) for spacing in spacings)
    return max(distance), pixel, pixel


def _factors(
    spacing: tuple[float, float, float], target: tuple[float, float, float]
) -> npt.NDArray[np.float64]:
    """Source steps for each step of the target, (3,); slices that nearly fit stay as they are."""
    factors: npt.NDArray[np.float64] = np.array(target) / np.array(spacing)
    if abs(factors[0] - 1) <= SAME_DISTANCE:
        factors[0] = 1.0
    return factors


def _size(
    shape: tuple[int, int, int],
    spacing: tuple[float, float, float],
    target: tuple[float, float, float] | None,
) -> tuple[int, ...]:
    """Slices, rows, columns that a source has on the common grid."""
    if target is None:
        return shape
    steps = (np.array(shape) - 1) / _factors(spacing, target)
    return tuple(int(n) for n in np.floor(steps + 1e-6) + 1)


def _interpolated(
    block: Floats, factors: npt.NDArray[np.float64], shape: tuple[int, int, int]
) -> Floats:
    """The block on the common grid: smoothed against aliasing, then linear, centred in plane."""
    smooth = gaussian_filter(block, np.maximum(factors - 1, 0) / 2, mode="nearest")
    offset = (np.array(block.shape) - 1 - (np.array(shape) - 1) * factors) / 2
    offset[0] = 0.0
    moved = affine_transform(smooth, factors, offset, shape, order=1, mode="nearest")
    return np.asarray(moved, dtype=np.float32)


def _values(candidates: Sequence[Candidate]) -> tuple[float, float, int]:
    """Lowest and highest CT number that every source could hold, and the coarsest step."""
    headers = [header for one in candidates for header in one.source.headers]
    if candidates[0].modality == "CT":
        top = min(value_range(header)[1] for header in headers)
        step = max(1, *(round(float(header.RescaleSlope)) for header in headers))
        return AIR_HU, min(top, AIR_HU + TOP_STORED), step
    bits = min(int(header.BitsStored) for header in headers)
    return 0.0, 0.0, max(1, FULL_SCALE >> bits)
