"""Metrics of two sets at equal sample counts: mean and spread over random draws."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from trainers.metrics.features import FeatureTable
from trainers.metrics.measurement import Measurement, MetricError


@dataclass(frozen=True)
class Resampling:
    """How to draw.

    Attributes:
        repeats: number of draws.
        size: images a draw, of each set; by default as many as the smaller set has.
        replacement: whether an image may be drawn twice (the bootstrap). Neighbour metrics (PRDC)
            want False and a size below both counts, since twins have distance 0.
        seed: of the draws.
    """

    repeats: int = 20
    size: int | None = None
    replacement: bool = True
    seed: int = 0

    def images_a_draw(self, smaller: int) -> int:
        """The size of every draw, where the smaller set has `smaller` images."""
        size = smaller if self.size is None else self.size
        if self.repeats < 2 or size < 2 or (size > smaller and not self.replacement):
            raise MetricError(
                f"At least 2 draws of at least 2 images are wanted, of at most {smaller} without "
                f"replacement, got {self.repeats} of {size}."
            )
        return size


def resampled(
    metric: Callable[[FeatureTable, FeatureTable], Measurement],
    real: FeatureTable,
    synthetic: FeatureTable,
    plan: Resampling,
) -> Measurement:
    """`metric`'s record with the mean as value and the standard deviation as spread."""
    size = plan.images_a_draw(min(len(real), len(synthetic)))
    source = np.random.default_rng(plan.seed)
    found = [
        metric(
            *(
                table.rows(source.choice(len(table), size, replace=plan.replacement))
                for table in (real, synthetic)
            )
        )
        for _ in range(plan.repeats)
    ]
    values = np.array([measurement.value for measurement in found])
    drawn = {"repeats": plan.repeats, "replacement": plan.replacement, "seed": plan.seed}
    return replace(
        found[0],
        value=float(values.mean()),
        spread=float(values.std(ddof=1)),
        settings={**found[0].settings, **drawn},
    )
