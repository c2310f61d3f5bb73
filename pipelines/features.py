"""Features of an input, numbers that a reader would recognise: over a series, beside known ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Features: TypeAlias = npt.NDArray[np.float64]
"""(features,) float64; NaN where a slice does not tell."""


def series_features(slices: Sequence[Features]) -> Features:
    """Describe a series by the mean over its slices, of those that tell; NaN where none does."""
    table = np.array(slices)
    known = np.isfinite(table)
    counts = known.sum(axis=0)
    sums = np.where(known, table, 0.0).sum(axis=0)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def mahalanobis(features: Features, centre: Features, precision: npt.NDArray[np.float64]) -> float:
    """Distance from known inputs; a feature that is not known counts as usual.

    Args:
        features: of the input.
        centre: (features,) mean of the known ones.
        precision: (features, features) inverse of their covariance.
    """
    away = np.nan_to_num(features - centre, nan=0.0)
    return float(np.sqrt(away @ precision @ away))
