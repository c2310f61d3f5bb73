from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.special import gamma

from tests.trainers.metrics.samples import UNIT, left_half
from trainers.metrics.measurement import EVERY_VOXEL, ImageSet, Mask, MetricError
from trainers.metrics.naturalness import asymmetric_gaussian, fit_naturalness, naturalness


def good(n: int = 6, seed: int = 0) -> ImageSet:
    """Smooth structure with fine texture, (n, 192, 192)."""
    source = np.random.default_rng(seed)
    coarse = gaussian_filter(source.standard_normal((n, 192, 192)), (0, 8, 8)) * 6
    fine = gaussian_filter(source.standard_normal((n, 192, 192)), (0, 1, 1)) * 0.08
    return ImageSet(np.clip(0.5 + coarse * 0.2 + fine, 0, 1), EVERY_VOXEL)


@pytest.mark.parametrize("shape", [0.8, 1.0, 2.0, 4.0])
def test_shapes_of_known_distributions_are_found(shape: float) -> None:
    source = np.random.default_rng(1)
    size = source.gamma(1 / shape, 1, 200_000) ** (1 / shape)
    values = size * source.choice([-1, 1], size.shape)
    found, below, above = asymmetric_gaussian(values)
    assert found == pytest.approx(shape, rel=0.04)
    assert below == pytest.approx(1, rel=0.05)
    assert above == pytest.approx(1, rel=0.05)


def test_asymmetry_is_found() -> None:
    source = np.random.default_rng(2)
    values = np.abs(source.standard_normal(100_000))
    sides = source.random(100_000) < 1 / 4  # scales 1 below and 3 above hold 1 : 3 of the mass
    found, below, above = asymmetric_gaussian(np.where(sides, -values, 3 * values))
    scale = np.sqrt(gamma(1 / 2) / gamma(3 / 2))
    assert found == pytest.approx(2, rel=0.05)
    assert (below / scale, above / scale) == pytest.approx((1, 3), rel=0.05)


def test_noise_and_blur_are_farther_than_other_good_images() -> None:
    model = fit_naturalness(good(), UNIT)
    fresh = good(2, seed=5)
    near = naturalness(fresh, model).value
    noisy = fresh.images + np.random.default_rng(0).normal(0, 0.05, fresh.images.shape)
    blurred = gaussian_filter(fresh.images, (0, 1.5, 1.5))
    for spoilt in (noisy, blurred):
        assert naturalness(ImageSet(spoilt, EVERY_VOXEL), model).value > 2 * near
    assert naturalness(good(), model).value == pytest.approx(0, abs=1e-9)


def test_only_patches_inside_the_mask_count() -> None:
    sample = good(6)
    half = ImageSet(sample.images, left_half(sample.images.shape))
    assert fit_naturalness(sample, UNIT).patches == 6 * 16
    with pytest.raises(MetricError, match=r"72 patches .* got 48"):
        fit_naturalness(half, UNIT)
    model = fit_naturalness(sample, UNIT)
    assert naturalness(half, model).n == 6 * 8
    assert naturalness(half, model).mask == "left half"


def test_flat_images_have_no_patch() -> None:
    model = fit_naturalness(good(), UNIT)
    with pytest.raises(MetricError, match="2 patches"):
        naturalness(ImageSet(np.zeros((2, 96, 96)), Mask("all", None)), model)
