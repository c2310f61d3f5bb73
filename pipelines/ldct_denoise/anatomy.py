"""Is the anatomy still there? What the translation did to the values, over the whole series."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pipelines.ldct_denoise.blocks import TISSUES, Blocks, Grid
from pipelines.ldct_denoise.input_distance import LEAST_BLOCKS

EDGE_SHARE = 0.9
"""Blocks whose deviation is above this quantile of the body hold its edges."""


@dataclass
class Shifts:
    """Mean changes of value, gathered slice by slice.

    A block belongs to the tissue that it is *after* translation: noise moves blocks across the
    borders of a tissue, and sorting by the noisy value would show a shift that is not there.

    Attributes:
        sums: summed change (HU) and number of blocks for each tissue.
        largest_slice: largest mean change of the body in one slice, HU, without sign.
        largest_jump: largest difference of that change between neighbours, HU.
        finite: every value so far is a number.
    """

    sums: dict[str, tuple[float, int]] = field(
        default_factory=lambda: dict.fromkeys(TISSUES, (0.0, 0))
    )
    largest_slice: float = 0.0
    largest_jump: float = 0.0
    finite: bool = True
    _last: float | None = None

    def add(self, before: Grid, after: Grid) -> None:
        """Take the block means of one slice, before and after."""
        change = after - before
        if not np.isfinite(change).all():
            self.finite = False
            return
        for name, (low, high) in TISSUES.items():
            tissue = change[(after > low) & (after < high)]
            total, count = self.sums[name]
            self.sums[name] = (total + float(tissue.sum()), count + tissue.size)
        body = change[(after > TISSUES["fat"][0]) & (after < TISSUES["soft"][1])]
        mean = float(body.mean()) if body.size >= LEAST_BLOCKS else None
        if mean is not None:
            self.largest_slice = max(self.largest_slice, abs(mean))
            if self._last is not None:
                self.largest_jump = max(self.largest_jump, abs(mean - self._last))
        self._last = mean

    def measurements(self) -> dict[str, float]:
        """The figures by name; tissues that the series does not show are left out."""
        shifts = {
            f"shift_{name}_hu": total / count
            for name, (total, count) in self.sums.items()
            if count >= LEAST_BLOCKS
        }
        return {
            **shifts,
            "largest_slice_shift_hu": self.largest_slice,
            "largest_jump_hu": self.largest_jump,
        }


def noise(image: Blocks) -> float:
    """Standard deviation in the evenest quarter of the body, HU; NaN where there is no body."""
    body = image.body
    if np.count_nonzero(body) < LEAST_BLOCKS:
        return float("nan")
    return float(np.quantile(image.deviation[body], 0.25))


def edges_kept(before: Blocks, after: Blocks) -> float:
    """How much of the contrast at edges is left: 1 is all, a blurrer has less.

    At an edge the variance is that of the structure plus that of the noise; the noise is known
    from even places, before and after. NaN where there is no body.
    """
    body = before.body & after.body
    if np.count_nonzero(body) < LEAST_BLOCKS:
        return float("nan")
    edges = body & (after.deviation >= np.quantile(after.deviation[body], EDGE_SHARE))
    structure_before = float((before.deviation[edges] ** 2).mean()) - noise(before) ** 2
    structure_after = float((after.deviation[edges] ** 2).mean()) - noise(after) ** 2
    if structure_before <= 0 or structure_after <= 0:
        return float("nan")
    return float(np.sqrt(structure_after / structure_before))
