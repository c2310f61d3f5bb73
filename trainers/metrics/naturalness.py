"""A NIQE (Mittal et al. 2013) whose pristine images are yours: no reference, no weights.

NIQE fits a Gaussian to features of patches of good images and gives an image's distance from it.
Its published model was fitted to photographs, which means little for CT, so here the good images
are those given: full-dose slices, say. Numbers compare only under one model.

A patch's features, at two scales: the generalised Gaussian of its normalised values, and the
asymmetric ones of the products of neighbours in four directions; 36 in all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.special import gamma

from trainers.metrics.measurement import DataRange, Floats, ImageSet, Measurement, MetricError

PATCH = 48
GREY_LEVELS = 255.0
SIGMA_PIXELS = 7 / 6
NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))
SHAPES = np.arange(0.2, 10, 0.001)
RATIOS = gamma(2 / SHAPES) ** 2 / (gamma(1 / SHAPES) * gamma(3 / SHAPES))
"""E[|x|]^2 / E[x^2] of a generalised Gaussian of each shape; rises with the shape."""


@dataclass(frozen=True, eq=False)
class NaturalnessModel:
    """What patches of good images are like.

    Attributes:
        mean: (36,) of the features.
        covariance: (36, 36).
        data_range: values that counted.
        patches: number that it was fitted to.
    """

    mean: Floats
    covariance: Floats
    data_range: DataRange
    patches: int


def fit_naturalness(images: ImageSet, data_range: DataRange) -> NaturalnessModel:
    """A model of `images`; wants 72 patches of 48 x 48 pixels inside the mask, twice the features.

    Args:
        images: good images.
        data_range: values that count.
    """
    features = _patch_features(images, data_range)
    if len(features) < 2 * features.shape[1]:
        raise MetricError(
            f"{2 * features.shape[1]} patches of {PATCH} x {PATCH} pixels that are not flat are "
            f"wanted, got {len(features)}; give more or larger images."
        )
    return NaturalnessModel(features.mean(0), np.cov(features.T), data_range, len(features))


def naturalness(images: ImageSet, model: NaturalnessModel) -> Measurement:
    """Distance of `images` from the model; smaller is more like the good images."""
    features = _patch_features(images, model.data_range)
    if len(features) < 2:
        raise MetricError(f"2 patches that are not flat are wanted, got {len(features)}.")
    shift = features.mean(0) - model.mean
    spread = (np.cov(features.T) + model.covariance) / 2
    value = float(np.sqrt(max(0.0, shift @ np.linalg.pinv(spread, hermitian=True) @ shift)))
    return Measurement(
        name="naturalness distance",
        value=value,
        unit="1",
        data_range=model.data_range,
        mask=images.mask.description,
        n=len(features),
        settings={"patch": PATCH, "model_patches": model.patches},
    )


def _patch_features(images: ImageSet, data_range: DataRange) -> Floats:
    """Features (patches, 36) of all patches that lie inside the mask and are not flat."""
    inside = images.mask.inside(images.images)
    found = []
    for image, mask in zip(GREY_LEVELS * data_range.scale(images.images), inside, strict=True):
        scales = [_normalised(image), _normalised(_halved(image))]
        for row in range(0, image.shape[0] - PATCH + 1, PATCH):
            for column in range(0, image.shape[1] - PATCH + 1, PATCH):
                place = (slice(row, row + PATCH), slice(column, column + PATCH))
                if mask[place].all() and image[place].std() > 0:
                    found.append(_features_at(scales, row, column))
    return np.array(found).reshape(len(found), 36)


def _halved(image: Floats) -> Floats:
    """The means of 2 x 2 pixels."""
    rows, columns = (side // 2 * 2 for side in image.shape)
    blocks = image[:rows, :columns].reshape(rows // 2, 2, columns // 2, 2)
    return np.asarray(blocks.mean((1, 3)), dtype=np.float64)


def _normalised(image: Floats) -> Floats:
    """Local mean taken out, divided by local deviation plus one grey level."""
    mean = gaussian_filter(image, SIGMA_PIXELS)
    variance = gaussian_filter(image**2, SIGMA_PIXELS) - mean**2
    return np.asarray((image - mean) / (np.sqrt(np.maximum(variance, 0)) + 1), dtype=np.float64)


def _features_at(scales: list[Floats], row: int, column: int) -> list[float]:
    """The 36 features of the patch at (row, column)."""
    features: list[float] = []
    for level, image in enumerate(scales):
        top, left, side = row >> level, column >> level, PATCH >> level
        patch = image[top : top + side, left : left + side]
        shape, below, above = asymmetric_gaussian(patch)
        features += [shape, (below + above) / 2]
        for down, right in NEIGHBOURS:
            product = patch * np.roll(patch, (-down, -right), (0, 1))
            shape, below, above = asymmetric_gaussian(product)
            centre = (above - below) * float(gamma(2 / shape) / gamma(1 / shape))
            features += [shape, centre, below, above]
    return features


def asymmetric_gaussian(values: Floats) -> tuple[float, float, float]:
    """Shape and both scales of the asymmetric generalised Gaussian with the moments of `values`."""
    below, above = values[values < 0], values[values > 0]
    left = float(np.sqrt((below**2).mean())) if below.size else 1e-6
    right = float(np.sqrt((above**2).mean())) if above.size else 1e-6
    ratio = left / right
    flatness = float(np.abs(values).mean() ** 2 / max(float((values**2).mean()), 1e-12))
    wanted = flatness * (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1) ** 2
    place = min(int(np.searchsorted(RATIOS, wanted)), len(SHAPES) - 1)
    shape = float(SHAPES[place])
    scale = float(np.sqrt(gamma(1 / shape) / gamma(3 / shape)))
    return shape, left * scale, right * scale
