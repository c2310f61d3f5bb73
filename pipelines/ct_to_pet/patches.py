"""A volume cut into overlapping patches, translated in batches, averaged where they overlap.

Y(v) = sum over patches p that hold v of G(X[p])(v), divided by their number: eqs 10 to 13 of the
district paper, with patches of 32 cubes and an overlap of 16. Patches without a cube of
the body are skipped: most of a scan is air.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice, product

import numpy as np
import numpy.typing as npt

from pipelines.ct_to_pet.body import Mask
from pipelines.ct_to_pet.grid import Cubes
from pipelines.ct_to_pet.network import AIR

Patches = npt.NDArray[np.float32]
"""(B, C, p, p, p) float32: a batch of patches."""

Run = Callable[[Iterable[Patches]], Iterator[Patches]]
"""Runs a network over batches: (B, 3, p, p, p) to (B, 1, p, p, p) each, in order."""

Corner = tuple[int, int, int]


@dataclass(frozen=True)
class Tiling:
    """How a volume is cut.

    Attributes:
        patch: cubes along a side.
        overlap: cubes that neighbours share.
        tapered: patches count less towards their faces, where they know less of their
            surroundings; else all cubes count the same, as in the paper.
    """

    patch: int
    overlap: int
    tapered: bool

    @property
    def weights(self) -> Cubes:
        """(p, p, p): how much each cube of a patch counts."""
        if not self.tapered:
            return np.ones((self.patch,) * 3, np.float32)
        away = np.minimum(np.arange(self.patch), np.arange(self.patch)[::-1]) + 1.0
        ramp = np.minimum(away / max(1, self.overlap), 1.0).astype(np.float32)
        weights: Cubes = np.einsum("i,j,k->ijk", ramp, ramp, ramp)
        return weights

    def corners(self, mask: Mask) -> list[Corner]:
        """Lowest corners of the patches that hold a cube of the mask; the last ones lie at the end.

        Args:
            mask: (z, y, x), at least a patch along every axis.
        """
        filled = np.pad(mask.cumsum(0).cumsum(1).cumsum(2, dtype=np.int64), ((1, 0),) * 3)
        stride = self.patch - self.overlap
        z, y, x = (_starts(count, self.patch, stride) for count in mask.shape)
        return [corner for corner in product(z, y, x) if _within(filled, corner, self.patch)]


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
    shape = mask.shape
    missing = [(0, max(0, tiling.patch - count)) for count in shape]
    padded = _padded(seen, missing)
    corners = tiling.corners(np.pad(mask, missing))
    weights = tiling.weights
    total = np.zeros(padded.shape[1:], np.float32)
    counted = np.zeros_like(total)
    outputs = run(_cut(padded, corners, tiling.patch, batch))
    for corner, made in zip(corners, (one for many in outputs for one in many), strict=True):
        place = tuple(slice(start, start + tiling.patch) for start in corner)
        total[place] += weights * made[0]
        counted[place] += weights
    result = np.divide(total, counted, out=total, where=counted > 0)
    return np.asarray(result[tuple(slice(count) for count in shape)] * mask, np.float32)


def _padded(seen: Cubes, missing: list[tuple[int, int]]) -> Cubes:
    """Air beyond a volume that is smaller than a patch."""
    if not any(after for _, after in missing):
        return seen
    channels = [
        np.pad(values, missing, constant_values=air) for values, air in zip(seen, AIR, strict=True)
    ]
    return np.stack(channels)


def _cut(seen: Cubes, corners: list[Corner], patch: int, batch: int) -> Iterator[Patches]:
    waiting = iter(corners)
    while group := list(islice(waiting, batch)):
        yield np.stack([seen[:, z : z + patch, y : y + patch, x : x + patch] for z, y, x in group])


def _starts(count: int, patch: int, stride: int) -> list[int]:
    return [*range(0, count - patch, stride), count - patch]


def _within(filled: npt.NDArray[np.int64], corner: Corner, patch: int) -> bool:
    """Whether the mask has a cube in the patch, from its integral image (one cube larger)."""
    (z, y, x), p = corner, patch
    box = filled[z : z + p + 1 : p, y : y + p + 1 : p, x : x + p + 1 : p]
    return bool(np.diff(np.diff(np.diff(box, axis=0), axis=1), axis=2)[0, 0, 0] > 0)
