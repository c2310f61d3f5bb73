"""Histograms of intensities: KL divergence, correlation, intersection.

As in the MR-to-CT protocol (arXiv 2407.10888): mean histograms of two sets, with 256 bins, or with
3 that stand for gas and liquid, soft tissue, and bone (thirds of the range: our reading). The
correlation and the intersection are those of OpenCV (HISTCMP_CORREL, HISTCMP_INTERSECT).
"""

from __future__ import annotations

import numpy as np

from trainers.metrics.measurement import (
    DataRange,
    Floats,
    ImageSet,
    Measurement,
    MetricError,
    mask_of_both,
)

EVERY_GREY_LEVEL = 256
TISSUES = 3
SMALLEST_SHARE = 1e-10
"""Added to every bin before KL divergence, which an empty bin would make infinite."""


def mean_histogram(images: ImageSet, bins: int, data_range: DataRange) -> Floats:
    """Mean counts (bins,) an image over the range.

    Values beyond the range's ends fall into its first and last bins.
    """
    if bins < 1:
        raise MetricError(f"At least 1 bin is wanted, got {bins}.")
    values = data_range.clip(images.images)[images.mask.inside(images.images)]
    edges = np.linspace(data_range.low, data_range.low + data_range.extent, bins + 1)
    return np.histogram(values, edges)[0] / len(images)


def kl_of(real: Floats, synthetic: Floats) -> float:
    """Kullback-Leibler divergence in nat of two histograms (bins,), real against synthetic."""
    p, q = (counts / counts.sum() + SMALLEST_SHARE for counts in (real, synthetic))
    p, q = p / p.sum(), q / q.sum()
    return float((p * np.log(p / q)).sum())


def correlation_of(real: Floats, synthetic: Floats) -> float:
    """Pearson correlation of two histograms; 1 for two flat ones, as OpenCV has it."""
    a, b = real - real.mean(), synthetic - synthetic.mean()
    scale = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float((a * b).sum() / scale) if scale > 0 else 1.0


def intersection_of(real: Floats, synthetic: Floats) -> float:
    """Sum of the smaller count of every bin: all counts for equal histograms."""
    return float(np.minimum(real, synthetic).sum())


def histogram_scores(
    real: ImageSet, synthetic: ImageSet, data_range: DataRange, bins: int = EVERY_GREY_LEVEL
) -> dict[str, Measurement]:
    """`KL`, `histogram correlation` and `histogram intersection` of two sets of images."""
    p, q = (mean_histogram(images, bins, data_range) for images in (real, synthetic))
    found = (
        ("KL", kl_of(p, q), "nat"),
        ("histogram correlation", correlation_of(p, q), "1"),
        ("histogram intersection", intersection_of(p, q), "pixels an image"),
    )
    n, mask = min(len(real), len(synthetic)), mask_of_both(real, synthetic)
    return {
        name: Measurement(name, value, unit, data_range, mask, n, settings={"bins": bins})
        for name, value, unit in found
    }
