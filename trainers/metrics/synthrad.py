"""The image metrics of SynthRAD 2025, written from their published definition.

Outside the body mask everything is air (-1024 HU). MAE is not clipped; PSNR and MS-SSIM are, to
[-1024, 3071]. MS-SSIM is three-dimensional, over five scales, averaged inside the mask at each.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter

from trainers.metrics.intensity import mae, psnr
from trainers.metrics.measurement import (
    ALL_HU,
    CT_RANGE,
    Array,
    DataRange,
    Floats,
    Mask,
    Measurement,
    MetricError,
    clipped_pair,
)

SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Wang et al. 2003."""
K1, K2 = 0.01, 0.03
WINDOW = 7
MARGIN = WINDOW // 2
SMALLEST_SIDE = 97
"""Smaller volumes are padded with their edges."""


def synthrad_scores(real: Array, synthetic: Array, mask: Mask) -> dict[str, Measurement]:
    """The three image metrics of the challenge: `MAE`, `PSNR`, `MS-SSIM`.

    Args:
        real: CT (slices, rows, columns), HU.
        synthetic: CT on the same grid, HU.
        mask: the body.
    """
    found = (
        mae(real, synthetic, ALL_HU, mask),
        psnr(real, synthetic, CT_RANGE, mask),
        ms_ssim(real, synthetic, CT_RANGE, mask),
    )
    return {measurement.name: measurement for measurement in found}


def ms_ssim(
    real: Array,
    synthetic: Array,
    data_range: DataRange,
    mask: Mask,
    synthrad2025_compat: bool = True,
) -> Measurement:
    """Three-dimensional multi-scale SSIM inside the mask; 1 when equal.

    Args:
        real: volume (slices, rows, columns).
        synthetic: volume on the same grid.
        data_range: values that count.
        mask: voxels that count.
        synthrad2025_compat: as the challenge's code computes it: brightness enters at every scale
            with that scale's weight, and halving averages zeros in at three of the faces.
            Otherwise as defined: brightness at the last scale only, faces continued.
    """
    first, second = clipped_pair(real, synthetic, data_range)
    if first.ndim != 3:
        raise MetricError(f"MS-SSIM wants volumes, got {first.ndim} dimensions.")
    inside = mask.inside(first)
    images = [mask.fill(image, data_range.low) - data_range.low for image in (first, second)]
    value = _product_over_scales(images, inside, data_range.extent, synthrad2025_compat)
    return Measurement(
        name="MS-SSIM",
        value=value,
        unit="1",
        data_range=data_range,
        mask=mask.description,
        n=int(inside.sum()),
        settings={"synthrad2025_compat": synthrad2025_compat, "window": WINDOW, "scales": 5},
    )


def _padding(side: int) -> tuple[int, int]:
    """Voxels to add before and after an axis of `side` voxels."""
    missing = max(0, SMALLEST_SIDE - side)
    return missing // 2, missing - missing // 2


def _product_over_scales(
    images: list[Floats], inside: npt.NDArray[np.bool_], extent: float, compat: bool
) -> float:
    """The product over the scales of the masked mean similarity."""
    pads = [_padding(side) for side in inside.shape]
    images = [np.pad(image, pads, mode="edge") for image in images]
    inside = np.pad(inside, pads, mode="edge")
    value = 1.0
    last = len(SCALE_WEIGHTS) - 1
    for scale, weight in enumerate(SCALE_WEIGHTS):
        brightness = weight if compat or scale == last else 0.0
        similarity = _similarity(images[0], images[1], extent, brightness, weight)
        core = (slice(MARGIN, -MARGIN),) * 3  # where windows stay inside the volume
        if not inside[core].any():
            raise MetricError(f"The mask has no voxel left at scale {scale + 1}; it is too thin.")
        value *= float(np.clip(similarity[core][inside[core]].mean(), 0, 1))
        images = [_halved(image, compat) for image in images]
        inside = inside[::2, ::2, ::2]
    return value


def _halved(image: Floats, compat: bool) -> Floats:
    """Every second voxel of the mean of each voxel and its neighbours before it."""
    mode = "constant" if compat else "nearest"
    return np.asarray(uniform_filter(image, size=2, mode=mode)[::2, ::2, ::2], dtype=np.float64)


def _similarity(
    first: Floats, second: Floats, extent: float, brightness: float, weight: float
) -> Floats:
    """brightness^b x contrast^w x structure^w at every voxel, negative factors taken as 0."""
    unbiased = WINDOW**3 / (WINDOW**3 - 1)
    c1, c2 = (K1 * extent) ** 2, (K2 * extent) ** 2
    mean_1, mean_2 = uniform_filter(first, WINDOW), uniform_filter(second, WINDOW)
    variance_1 = unbiased * (uniform_filter(first**2, WINDOW) - mean_1**2)
    variance_2 = unbiased * (uniform_filter(second**2, WINDOW) - mean_2**2)
    covariance = unbiased * (uniform_filter(first * second, WINDOW) - mean_1 * mean_2)
    deviations = np.sqrt(np.maximum(variance_1, 0)) * np.sqrt(np.maximum(variance_2, 0))
    factors = (
        ((2 * mean_1 * mean_2 + c1) / (mean_1**2 + mean_2**2 + c1), brightness),
        ((2 * deviations + c2) / (variance_1 + variance_2 + c2), weight),
        ((covariance + c2 / 2) / (deviations + c2 / 2), weight),
    )
    product = np.ones_like(first)
    for factor, exponent in factors:
        product *= np.maximum(factor, 0) ** exponent
    return product
