"""Frechet distance between two sets of images: FID with a network's features, radiomic by default.

It is biased by the number of images: with 50 or 1,367 samples of one and the same distribution in
2,048 dimensions it differs by a factor of four. So unequal counts are refused; `resampling` draws
equal ones.
"""

from __future__ import annotations

import numpy as np

from trainers.metrics.features import (
    FeatureTable,
    comparable,
    extract_features,
    standardised,
)
from trainers.metrics.measurement import (
    DataRange,
    Floats,
    ImageSet,
    Measurement,
    MetricError,
)
from trainers.metrics.radiomics import RadiomicFeatures
from trainers.metrics.resampling import Resampling, resampled


def frechet_of(real: Floats, synthetic: Floats) -> float:
    """Squared Frechet distance of Gaussians fitted to two tables (n, features); 0 if equal.

    |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)). The last trace is the nuclear norm of R1 R2^T,
    with S = R^T R from a QR decomposition: no matrix root, no complex numbers, any n.
    """
    shift = real.mean(0) - synthetic.mean(0)
    first, second = _root_of_covariance(real), _root_of_covariance(synthetic)
    shared = np.linalg.svd(first @ second.T, compute_uv=False).sum()
    variances = (first**2).sum() + (second**2).sum()
    return max(0.0, float(shift @ shift + variances - 2 * shared))


def _root_of_covariance(table: Floats) -> Floats:
    """R (min(n, features), features) with covariance R^T R."""
    centred = (table - table.mean(0)) / np.sqrt(len(table) - 1)
    return np.asarray(np.linalg.qr(centred, mode="r"), dtype=np.float64)


def frechet_distance(real: FeatureTable, synthetic: FeatureTable) -> Measurement:
    """Squared Frechet distance of two feature tables with the same number of images."""
    comparable(real, synthetic)
    if len(real) != len(synthetic) or len(real) < 2:
        raise MetricError(
            f"Equal numbers of images, at least 2, are wanted, got {len(real)} and "
            f"{len(synthetic)}; draw equal subsets with `resampled`."
        )
    return Measurement(
        name="Frechet distance",
        value=frechet_of(real.values, synthetic.values),
        unit="1",
        data_range=real.data_range,
        mask=real.mask,
        n=len(real),
        settings={"extractor": real.extractor},
    )


def frechet_radiomic_distance(
    real: ImageSet,
    synthetic: ImageSet,
    data_range: DataRange,
    plan: Resampling | None = None,
) -> Measurement:
    """Frechet distance of standardised radiomic features, mean and spread over resamplings.

    Args:
        real: the real images; they set the features' scale.
        synthetic: the synthetic images, any number of them.
        data_range: values that count.
        plan: how to resample; by default 20 times.
    """
    tables = (
        extract_features(images, RadiomicFeatures(), data_range) for images in (real, synthetic)
    )
    first, second = standardised(*tables)
    return resampled(frechet_distance, first, second, plan or Resampling())
