"""A volume cut into overlapping patches, translated in batches, averaged where they overlap.

Y(v) = sum over patches p that hold v of G(X[p])(v), divided by their number: eqs 10 to 13 of the
district paper, with patches of 32 cubes and an overlap of 16. Patches without a cube of
the body are skipped, and nothing is cut from what lies further than an overlap from it: most of a
scan is air.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, product

import numpy as np
import numpy.typing as npt

from pipelines.ct_to_pet.body import Mask
from pipelines.ct_to_pet.grid import Cubes
from pipelines.ct_to_pet.network import AIR

Patches = npt.NDArray[np.float32]
"""(B, C, z, y, x) float32: a batch of patches."""

Run = Callable[[Iterable[Patches]], Iterator[Patches]]
"""Runs a network over batches: (B, 3, z, y, x) to (B, 1, z, y, x) each, in order."""

Corner = tuple[int, int, int]
Window = tuple[int, int, int]
Place = tuple[slice, slice, slice]
"""Lowest cube of a patch; its cubes along z, y, x; where it lies in the volume."""


@dataclass(frozen=True)
class Tiling:
    """How a volume is cut.

    Attributes:
        patch: cubes along a side.
        overlap: cubes that neighbours share.
        tapered: patches count less towards their faces, where they know less of their
            surroundings; else all cubes count the same, as in the paper.
        granule: along an axis with fewer cubes than a patch, a patch is as long as the next
            multiple of this; 0 where the network takes patches of one size only.
    """

    patch: int
    overlap: int
    tapered: bool
    granule: int = 0

    def window(self, shape: Sequence[int]) -> Window:
        """Cubes of a patch along each axis of a volume."""
        step = self.granule or self.patch
        z, y, x = (min(self.patch, -(-count // step) * step) for count in shape)
        return z, y, x

    def weights(self, window: Window) -> Cubes:
        """How much each cube of a patch counts, (z, y, x)."""
        if not self.tapered:
            return np.ones(window, np.float32)
        ramps = [
            np.minimum((np.minimum(np.arange(n), np.arange(n)[::-1]) + 1.0) / self._fading, 1.0)
            for n in window
        ]
        weights: Cubes = np.einsum("i,j,k->ijk", *ramps).astype(np.float32)
        return weights

    def corners(self, mask: Mask) -> list[Corner]:
        """Lowest corners of the patches that hold a cube of the mask; the last ones lie at the end.

        Args:
            mask: (z, y, x), at least a patch along every axis.
        """
        window = self.window(mask.shape)
        filled = np.pad(mask.cumsum(0).cumsum(1).cumsum(2, dtype=np.int64), ((1, 0),) * 3)
        z, y, x = (
            _starts(count, side, max(1, side - self.overlap))
            for count, side in zip(mask.shape, window, strict=True)
        )
        return [corner for corner in product(z, y, x) if _within(filled, corner, window)]

    @property
    def _fading(self) -> int:
        return max(1, self.overlap)


def translated(seen: Cubes, mask: Mask, tiling: Tiling, run: Run, batch: int) -> Cubes:
    """What a network makes of a volume where the mask is, 0 elsewhere.

    Args:
        seen: (3, z, y, x), see `pipelines.ct_to_pet.network.channels`.
        mask: (z, y, x), where a result is wanted.
        tiling: how it is cut.
        run: the network.
        batch: patches at once.

    Returns:
        (z, y, x) float32.
    """
    result = np.zeros(mask.shape, np.float32)
    if mask.any():
        near = around(mask, tiling.overlap)
        result[near] = _averaged(seen[(slice(None), *near)], mask[near], tiling, run, batch)
    return result


def _averaged(seen: Cubes, mask: Mask, tiling: Tiling, run: Run, batch: int) -> Cubes:
    """The mean of all patches that hold a cube, where the mask is."""
    shape = mask.shape
    window = tiling.window(shape)
    missing = [(0, max(0, side - count)) for side, count in zip(window, shape, strict=True)]
    padded = _padded(seen, missing)
    corners = tiling.corners(np.pad(mask, missing))
    weights = tiling.weights(window)
    total = np.zeros(padded.shape[1:], np.float32)
    counted = np.zeros_like(total)
    outputs = run(_cut(padded, corners, window, batch))
    for corner, made in zip(corners, (one for many in outputs for one in many), strict=True):
        place = _place(corner, window)
        total[place] += weights * made[0]
        counted[place] += weights
    result = np.divide(total, counted, out=total, where=counted > 0)
    return np.asarray(result[tuple(slice(count) for count in shape)] * mask, np.float32)


def around(mask: Mask, margin: int) -> Place:
    """The box that holds the mask and so many cubes about it."""
    found = [np.flatnonzero(mask.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    z, y, x = (slice(max(0, int(on[0]) - margin), int(on[-1]) + 1 + margin) for on in found)
    return z, y, x


def _padded(seen: Cubes, missing: list[tuple[int, int]]) -> Cubes:
    """Air beyond a volume that is smaller than a patch."""
    if not any(after for _, after in missing):
        return seen
    channels = [
        np.pad(values, missing, constant_values=air) for values, air in zip(seen, AIR, strict=True)
    ]
    return np.stack(channels)


def _cut(seen: Cubes, corners: list[Corner], window: Window, batch: int) -> Iterator[Patches]:
    waiting = iter(corners)
    while group := list(islice(waiting, batch)):
        yield np.stack([seen[(slice(None), *_place(corner, window))] for corner in group])


def _place(corner: Corner, window: Window) -> Place:
    z, y, x = (slice(start, start + side) for start, side in zip(corner, window, strict=True))
    return z, y, x


def _starts(count: int, side: int, stride: int) -> list[int]:
    return [*range(0, count - side, stride), count - side]


def _within(filled: npt.NDArray[np.int64], corner: Corner, window: Window) -> bool:
    """Whether the mask has a cube in the patch, from its integral image (one cube larger)."""
    (z, y, x), (depth, height, width) = corner, window
    box = filled[z : z + depth + 1 : depth, y : y + height + 1 : height, x : x + width + 1 : width]
    return bool(np.diff(np.diff(np.diff(box, axis=0), axis=1), axis=2)[0, 0, 0] > 0)
