"""A volume cut into overlapping windows, translated in batches, averaged where they overlap.

Y(v) = sum over windows p that hold v of w(v) G(X[p])(v), divided by the sum of w. With w = 1 and
windows of 32 cubes that overlap by 16 these are eqs 10 to 13 of the district paper.
A network that takes any size is given fewer and larger windows: the body is cut into slabs of one
length along z, and each slab into as few windows as will do over the part of it that holds a body,
so that legs and a head cost what they are. Most of a scan is air, of which nothing is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice, product

import numpy as np
import numpy.typing as npt

from pipelines.ct_to_pet.body import Mask
from pipelines.ct_to_pet.grid import Cubes
from pipelines.ct_to_pet.network import AIR

Patches = npt.NDArray[np.float32]
"""(B, C, z, y, x) float32: a batch of windows of one size."""

Run = Callable[[Iterable[Patches]], Iterator[Patches]]
"""Runs a network over batches: (B, 3, z, y, x) to (B, 1, z, y, x) each, in order."""

Sides = tuple[int, int, int]
Place = tuple[slice, slice, slice]
"""Cubes of a window along z, y, x; where it lies, which may be beyond the end of the volume."""


@dataclass(frozen=True)
class Tiling:
    """How a volume is cut.

    Attributes:
        patch: cubes along a side of a window; at most so many where the granule is not 0.
        overlap: cubes that neighbours share at least, and that are shown beyond the body.
        tapered: windows count less towards their faces, where they know less of their
            surroundings; else all cubes count the same, as in the paper.
        granule: sides are multiples of this; 0 where the network takes windows of one size only.
    """

    patch: int
    overlap: int
    tapered: bool
    granule: int = 0

    def windows(self, mask: Mask) -> list[Place]:
        """Where a network has to look for a result in every cube of the mask.

        Args:
            mask: (z, y, x).
        """
        found: list[Place] = []
        if not mask.any():
            return found
        box = around(mask, self.overlap)
        for slab in self._along(box[0], len(mask)):
            held = mask[slab] if self.granule else mask
            if not held.any():
                continue
            _, rows, columns = around(held, self.overlap)
            across = self._along(rows, mask.shape[1]), self._along(columns, mask.shape[2])
            found += [(slab, y, x) for y, x in product(*across) if mask[slab, y, x].any()]
        return found

    def weights(self, window: Sides) -> Cubes:
        """How much each cube of a window counts, (z, y, x)."""
        if not self.tapered:
            return np.ones(window, np.float32)
        fading = max(1, self.overlap)
        ramps = [
            np.minimum((np.minimum(np.arange(n), np.arange(n)[::-1]) + 1.0) / fading, 1.0)
            for n in window
        ]
        weights: Cubes = np.einsum("i,j,k->ijk", *ramps).astype(np.float32)
        return weights

    def _along(self, part: slice, count: int) -> list[slice]:
        """Windows over a part of an axis with so many cubes: as few as will do.

        They are spread evenly where their size is free, else in steps from the part's beginning;
        the last one ends with the part. Where the part is smaller than a window, so much of the
        volume about it is seen as well.
        """
        length = part.stop - part.start
        side, number = self._sides(length)
        if length <= side:
            start = max(0, min(part.start - (side - length) // 2, count - side))
            return [slice(start, start + side)]
        last, step = length - side, max(1, side - self.overlap)
        starts = [min(n * step, last) for n in range(number)]
        if self.granule:
            starts = [n * last // (number - 1) for n in range(number)]
        return [slice(part.start + start, part.start + start + side) for start in starts]

    def _sides(self, length: int) -> tuple[int, int]:
        """Cubes of a window along an axis and how many windows there are."""
        step = max(1, self.patch - self.overlap)
        number = 1 + max(0, -(-(length - self.patch) // step))
        if not self.granule:
            return self.patch, number
        shared = (length + (number - 1) * self.overlap) / number
        return int(-(-shared // self.granule)) * self.granule, number


def translated(seen: Cubes, mask: Mask, tiling: Tiling, run: Run, batch: int) -> Cubes:
    """What a network makes of a volume where the mask is, 0 elsewhere.

    Args:
        seen: (3, z, y, x), see `pipelines.ct_to_pet.network.channels`.
        mask: (z, y, x), where a result is wanted.
        tiling: how it is cut.
        run: the network.
        batch: windows at once.

    Returns:
        (z, y, x) float32.
    """
    total = np.zeros(mask.shape, np.float32)
    counted = np.zeros_like(total)
    places = tiling.windows(mask)
    outputs = run(_cut(seen, places, batch))
    for place, made in zip(places, (one for many in outputs for one in many), strict=True):
        inside = tuple(slice(0, n) for n in total[place].shape)
        weights = tiling.weights(_sides(place))[inside]
        total[place] += weights * made[0][inside]
        counted[place] += weights
    return np.divide(total, counted, out=np.zeros_like(total), where=mask)


def around(mask: Mask, margin: int) -> Place:
    """The box that holds the mask and so many cubes about it, as far as the volume goes."""
    found = [np.flatnonzero(mask.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    z, y, x = (
        slice(max(0, int(on[0]) - margin), min(count, int(on[-1]) + 1 + margin))
        for on, count in zip(found, mask.shape, strict=True)
    )
    return z, y, x


def with_air(seen: Cubes, sides: Sequence[int]) -> Cubes:
    """Channels (3, z, y, x) of a volume, air beyond its end up to so many cubes a side."""
    missing = [(0, side - n) for side, n in zip(sides, seen.shape[1:], strict=True)]
    if not any(after for _, after in missing):
        return seen
    channels = [
        np.pad(values, missing, constant_values=air) for values, air in zip(seen, AIR, strict=True)
    ]
    return np.stack(channels)


def _cut(seen: Cubes, places: list[Place], batch: int) -> Iterator[Patches]:
    for _, alike in groupby(places, _sides):
        while group := list(islice(alike, batch)):
            cut = [with_air(seen[(slice(None), *place)], _sides(place)) for place in group]
            yield np.stack(cut)


def _sides(place: Place) -> Sides:
    z, y, x = (along.stop - along.start for along in place)
    return z, y, x
