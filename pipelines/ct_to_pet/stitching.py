"""One body out of the districts' volumes: Y = sum over districts of M_d Y_d, hard or feathered.

Hard masks do not average across the border of two districts, so a seam can show there. Feathered
ones fade into each other over some millimetres; they add up to 1 in the body and to 0 outside.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy import ndimage

from pipelines.ct_to_pet.body import Mask
from pipelines.ct_to_pet.districts import LABELS, Districts
from pipelines.ct_to_pet.grid import CUBE_MM, Cubes


def district_weights(districts: Districts, feather_mm: float) -> dict[str, Cubes]:
    """How much each district's model counts in each cube.

    Args:
        districts: (z, y, x) labels, 0 outside the body.
        feather_mm: width of the border over which two districts fade into each other; 0 is hard.

    Returns:
        (z, y, x) float32 by district, for the districts that are there.
    """
    body = districts > 0
    masks = {name: districts == label for name, label in LABELS.items()}
    there = {name: mask for name, mask in masks.items() if mask.any()}
    if feather_mm < CUBE_MM or len(there) < 2:
        return {name: mask.astype(np.float32) for name, mask in there.items()}
    weights = {name: _faded(mask, feather_mm) * body for name, mask in there.items()}
    total = np.maximum(sum(weights.values()), 1e-6)
    return {name: np.asarray(weight / total, np.float32) for name, weight in weights.items()}


def stitched(volumes: Mapping[str, Cubes], weights: Mapping[str, Cubes]) -> Cubes:
    """The districts' volumes in one."""
    total = np.zeros(next(iter(weights.values())).shape, np.float32)
    for name, weight in weights.items():
        total += weight * volumes[name]
    return total


def seam(suv: Cubes, districts: Districts) -> float:
    """How much more neighbours differ across a border between districts than beside it.

    Returns:
        The ratio of mean absolute differences along z, y and x, across borders to within three
        cubes of them; 1 means that no seam shows. NaN where there is no border.
    """
    across: list[Cubes] = []
    beside: list[Cubes] = []
    for axis in range(3):
        one, other = _neighbours(districts, axis)
        inside = (one > 0) & (other > 0)
        border = inside & (one != other)
        near = ndimage.binary_dilation(border, iterations=3) & inside & ~border
        a, b = _neighbours(suv, axis)
        step = np.abs(a - b)
        across.append(step[border])
        beside.append(step[near])
    here, there = np.concatenate(across), np.concatenate(beside)
    if here.size == 0 or there.size == 0 or not there.mean():
        return float("nan")
    return float(here.mean() / there.mean())


def _neighbours(values: Cubes | Districts, axis: int) -> tuple[Cubes, Cubes]:
    count = values.shape[axis]
    return np.take(values, range(count - 1), axis), np.take(values, range(1, count), axis)


def _faded(mask: Mask, feather_mm: float) -> Cubes:
    """How much of what lies within half a feather, along every axis, is in the mask.

    Across a flat border that is a line over the feather's width.
    """
    half = feather_mm / CUBE_MM / 2
    reach = int(np.ceil(half - 0.5))
    offsets = np.arange(-reach, reach + 1)
    # of each cube the share that lies within the feather
    shares = np.minimum(offsets + 0.5, half) - np.maximum(offsets - 0.5, -half)
    faded = mask.astype(np.float32)
    for axis in range(3):
        faded = ndimage.convolve1d(faded, shares / shares.sum(), axis, mode="nearest")
    return np.clip(faded, 0, 1)
