"""How far an input is from the series that the model knows: features of pixels, Mahalanobis.

Headers say what a series should be; this looks at what it is. A few slices, spread over the
series, are described by numbers that a reader would recognise (what the body is made of, how
noisy it is, how coarse the noise, how alike neighbours are) and held against a calibration set.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipelines.features import Features, mahalanobis
from pipelines.ldct_denoise.blocks import Blocks

FEATURES = (
    "air_share",
    "lung_share",
    "fat_share",
    "soft_share",
    "bone_share",
    "noise",
    "unevenness",
    "grain",
    "likeness",
)
"""In this order.

Shares are log odds: of air among all blocks, of the others among the blocks that are not air.
`noise` is the logarithm of the deviation (HU) in the evenest quarter of the body, `unevenness`
how much more the most uneven tenth deviates, `grain` how fine the noise is, `likeness` the
correlation with the slice before.
"""

LEAST_SHARE = 0.01
"""Shares below this (or above 1 less this) say nothing more."""

LEAST_BLOCKS = 12
"""A slice with fewer blocks of body says nothing about noise."""

LEAST_DEVIATION_HU = 0.5
"""Noise below this is none: rounding to whole HU alone makes 0.3."""


@dataclass(frozen=True, eq=False)
class KnownInputs:
    """The calibration set: where its series lie.

    Attributes:
        centre: (features,) mean of the features.
        precision: (features, features) inverse of their covariance.
        amber, red: distances above which an input is unusual, and unlike anything known.
    """

    centre: Features
    precision: npt.NDArray[np.float64]
    amber: float
    red: float

    def distance(self, features: Features) -> float:
        """Mahalanobis distance; a feature that is not known counts as usual."""
        return mahalanobis(features, self.centre, self.precision)


def slice_features(now: Blocks, before: Blocks | None) -> Features:
    """Describe one slice.

    Args:
        now: the slice.
        before: its neighbour, or None where there is none.
    """
    shares = _shares(now)
    noise = np.full(3, np.nan)
    body = now.body
    if np.count_nonzero(body) >= LEAST_BLOCKS:
        deviations = np.maximum(now.deviation[body], LEAST_DEVIATION_HU)
        even, uneven = np.quantile(deviations, (0.25, 0.9))
        fine = np.quantile(np.maximum(now.fine[body], LEAST_DEVIATION_HU), 0.25)
        noise = np.log([even, uneven / even, fine / even])
    return np.concatenate([shares, noise, [_likeness(now, before)]])


def _shares(now: Blocks) -> Features:
    every = max(int(np.count_nonzero(now.valid)), 1)
    air = int(np.count_nonzero(now.of("air")))
    rest = max(every - air, 1)
    others = [np.count_nonzero(now.of(name)) / rest for name in ("lung", "fat", "soft", "bone")]
    shares = np.clip([air / every, *others], LEAST_SHARE, 1 - LEAST_SHARE)
    return np.asarray(np.log(shares / (1 - shares)), np.float64)


def _likeness(now: Blocks, before: Blocks | None) -> float:
    """Correlation with the neighbour where both are body, as Fisher's z; NaN without one."""
    if before is None:
        return float("nan")
    both = now.body & before.body
    if np.count_nonzero(both) < LEAST_BLOCKS:
        return float("nan")
    here, there = now.mean[both], before.mean[both]
    if here.std() < LEAST_DEVIATION_HU or there.std() < LEAST_DEVIATION_HU:
        return float("nan")
    correlation = float(np.corrcoef(here, there)[0, 1])
    return float(np.arctanh(np.clip(correlation, -0.99, 0.99)))
