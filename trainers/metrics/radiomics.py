"""Radiomic features of an image: the extractor that needs no weights.

33 of them: first order (11), grey-level co-occurrence at two distances (12), and the first-order
texture of Laplacian-of-Gaussian responses at three scales (9), plus the share of pixels that
count. The idea is that of the Frechet radiomic distance (arXiv 2412.01496); the list is ours, so
its numbers compare only with each other.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_laplace
from skimage.feature import graycomatrix, graycoprops

from trainers.metrics.measurement import Floats

GREY_LEVELS = 32
DISTANCES = (1, 3)
ANGLES = (0.0, np.pi / 4, np.pi / 2, 3 * np.pi / 4)
TEXTURE_PROPERTIES = (
    "contrast",
    "dissimilarity",
    "homogeneity",
    "ASM",
    "correlation",
    "entropy",
)
LAPLACIAN_SIGMAS_PIXELS = (1.0, 2.0, 4.0)


class RadiomicFeatures:
    """Extractor of 33 radiomic features."""

    name = "radiomics-33"

    def __call__(self, images: Floats, inside: npt.NDArray[np.bool_]) -> Floats:
        """Features (n, 33) of `images` (n, rows, columns) in [0, 1]."""
        return np.stack(
            [_features(image, mask) for image, mask in zip(images, inside, strict=True)]
        )


def _features(image: Floats, inside: npt.NDArray[np.bool_]) -> Floats:
    """The 33 features of one image; all 0 where no pixel counts."""
    if not inside.any():
        return np.zeros(33)
    values = image[inside]
    parts = [_first_order(values), _texture(image, inside), [inside.mean()]]
    for sigma in LAPLACIAN_SIGMAS_PIXELS:
        response = gaussian_laplace(image, sigma)[inside] * sigma**2
        parts.append([response.std(), np.abs(response).mean(), _standardised_moment(response, 4)])
    return np.concatenate(parts)


def _first_order(values: Floats) -> list[float]:
    """Eleven features of the distribution of `values` (n,)."""
    shares = np.histogram(values, GREY_LEVELS, (0, 1))[0] / values.size
    filled = shares[shares > 0]
    return [
        values.mean(),
        values.std(),
        _standardised_moment(values, 3),
        _standardised_moment(values, 4),
        *np.percentile(values, (10, 50, 90)),
        np.sqrt((values**2).mean()),
        np.abs(values - values.mean()).mean(),
        -float((filled * np.log2(filled)).sum()),
        float((shares**2).sum()),
    ]


def _standardised_moment(values: Floats, order: int) -> float:
    """Mean of ((values - mean) / deviation)^order; 0 where nothing varies."""
    deviation = values.std()
    if deviation < 1e-12:
        return 0.0
    return float((((values - values.mean()) / deviation) ** order).mean())


def _texture(image: Floats, inside: npt.NDArray[np.bool_]) -> list[float]:
    """Six co-occurrence properties at two distances, averaged over four angles."""
    levels = np.minimum((image * GREY_LEVELS).astype(int), GREY_LEVELS - 1) + 1
    levels = np.where(inside, levels, 0).astype(np.uint8)  # level 0: does not count
    counts = graycomatrix(levels, DISTANCES, ANGLES, levels=GREY_LEVELS + 1, symmetric=True)
    counted = counts[1:, 1:].astype(np.float64)
    return [
        float(value)
        for name in TEXTURE_PROPERTIES
        for value in graycoprops(counted, name).mean(1)  # (distances, angles) -> distances
    ]
