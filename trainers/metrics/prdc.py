"""Precision, recall, density and coverage of a synthetic set (Naeem et al. 2020)."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist

from trainers.metrics.features import FeatureTable, comparable
from trainers.metrics.measurement import JSON, Floats, Measurement, MetricError


def prdc(real: FeatureTable, synthetic: FeatureTable, k: int = 5) -> dict[str, Measurement]:
    """`precision`, `recall`, `density` and `coverage`; all 1 for equal sets, 0 for disjoint ones.

    A sample covers what lies nearer than its k-th neighbour in its own set, itself not counted.
    Density may exceed 1.

    Args:
        real: features (n, features), n > k.
        synthetic: features (m, features), m > k.
        k: number of neighbours.
    """
    comparable(real, synthetic)
    if not 1 <= k < min(len(real), len(synthetic)):
        raise MetricError(
            f"More images than neighbours (k = {k}) are wanted in both sets, got {len(real)} and "
            f"{len(synthetic)}."
        )
    n = min(len(real), len(synthetic))
    settings: dict[str, JSON] = {"extractor": real.extractor, "neighbours": k}
    return {
        name: Measurement(name, value, "1", real.data_range, real.mask, n, settings=settings)
        for name, value in prdc_of(real.values, synthetic.values, k).items()
    }


def prdc_of(real: Floats, synthetic: Floats, k: int) -> dict[str, float]:
    """The four numbers for two tables (n, features) and (m, features)."""
    between = cdist(real, synthetic)  # (n, m)
    in_real = between < _radii(real, k)[:, None]
    in_synthetic = between < _radii(synthetic, k)[None, :]
    return {
        "precision": float(in_real.any(0).mean()),
        "recall": float(in_synthetic.any(1).mean()),
        "density": float(in_real.sum() / (k * len(synthetic))),
        "coverage": float(in_real.any(1).mean()),
    }


def _radii(values: Floats, k: int) -> Floats:
    """Distance (n,) from each row of `values` to its k-th neighbour, itself not counted."""
    distances = cdist(values, values)
    np.fill_diagonal(distances, np.inf)
    return np.asarray(np.partition(distances, k - 1, axis=1)[:, k - 1], dtype=np.float64)
