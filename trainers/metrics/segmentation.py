"""Overlap and surface distance of two segmentations."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_erosion, distance_transform_edt

from trainers.metrics.measurement import Array, Measurement, MetricError

PERCENTILE = 95


def _masks(real: Array, synthetic: Array) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Both segmentations as masks of one shape."""
    if real.shape != synthetic.shape:
        raise MetricError(
            f"Two segmentations of one shape are wanted, got {real.shape} and {synthetic.shape}."
        )
    return np.asarray(real, dtype=bool), np.asarray(synthetic, dtype=bool)


def dice(real: Array, synthetic: Array, structure: str) -> Measurement:
    """Dice coefficient of two masks of one `structure`; NaN where neither has a voxel."""
    first, second = _masks(real, synthetic)
    voxels = int(first.sum()) + int(second.sum())
    value = 2 * int((first & second).sum()) / voxels if voxels else float("nan")
    return Measurement("Dice", value, "1", None, structure, int(first.sum()))


def hd95(
    real: Array, synthetic: Array, structure: str, spacing_mm: tuple[float, ...]
) -> Measurement:
    """95th percentile Hausdorff distance in mm, the larger of both directions.

    Surfaces are the voxels of a mask that touch, by a face, a voxel outside it or the volume's
    end. Infinite where only one of the masks has a voxel, NaN where neither has.

    Args:
        real: mask (slices, rows, columns) or (rows, columns).
        synthetic: mask on the same grid.
        structure: what is segmented, for the record.
        spacing_mm: between voxels along each axis.
    """
    first, second = _masks(real, synthetic)
    if len(spacing_mm) != first.ndim:
        raise MetricError(f"One spacing an axis is wanted, got {spacing_mm} for {first.shape}.")
    if first.any() and second.any():
        value = max(
            _directed(first, second, spacing_mm),
            _directed(second, first, spacing_mm),
        )
    else:
        value = float("inf") if first.any() or second.any() else float("nan")
    settings = {"percentile": PERCENTILE}
    return Measurement("HD95", value, "mm", None, structure, int(first.sum()), settings=settings)


def _directed(
    start: npt.NDArray[np.bool_], end: npt.NDArray[np.bool_], spacing_mm: tuple[float, ...]
) -> float:
    """95th percentile of the distances in mm from the surface of `start` to that of `end`."""
    surface, other = (mask & ~binary_erosion(mask) for mask in (start, end))
    distances = distance_transform_edt(~other, sampling=spacing_mm)
    return float(np.percentile(distances[surface], PERCENTILE))
