"""Kernel distance (KID): unbiased where Frechet's is not; the kernel sum is torchmetrics'."""

from __future__ import annotations

import torch
from torchmetrics.image.kid import poly_mmd

from trainers.metrics.features import FeatureTable, comparable
from trainers.metrics.measurement import Measurement, MetricError

DEGREE = 3


def kernel_distance(real: FeatureTable, synthetic: FeatureTable) -> Measurement:
    """Squared maximum mean discrepancy with the kernel (x y / features + 1)^3.

    Its expectation is 0 for two sets of one distribution; a single value may be below 0.
    """
    comparable(real, synthetic)
    if len(real) != len(synthetic) or len(real) < 2:
        raise MetricError(
            f"Equal numbers of images, at least 2, are wanted, got {len(real)} and "
            f"{len(synthetic)}; draw equal subsets with `resampled`."
        )
    first, second = torch.from_numpy(real.values), torch.from_numpy(synthetic.values)
    return Measurement(
        name="kernel distance",
        value=float(poly_mmd(first, second, degree=DEGREE)),
        unit="1",
        data_range=real.data_range,
        mask=real.mask,
        n=len(real),
        settings={"extractor": real.extractor, "kernel": f"polynomial of degree {DEGREE}"},
    )
