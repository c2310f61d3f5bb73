from __future__ import annotations

import numpy as np
import pytest

from tests.trainers.metrics.samples import textured
from trainers.metrics.measurement import Floats
from trainers.metrics.radiomics import DISTANCES, TEXTURE_PROPERTIES, RadiomicFeatures

CONTRAST = 11 + TEXTURE_PROPERTIES.index("contrast") * len(DISTANCES)


def features(images: Floats) -> Floats:
    return RadiomicFeatures()(images, np.ones(images.shape, dtype=bool))


def test_first_order_features_of_a_known_image() -> None:
    image = np.zeros((1, 16, 16))
    image[0, :8] = 1
    found = features(image)[0]
    mean, deviation, skewness, kurtosis, low, _, high = found[:7]
    assert (mean, deviation, skewness, kurtosis) == pytest.approx((0.5, 0.5, 0, 1))
    assert (low, high) == (0, 1)
    assert found[7] == pytest.approx(np.sqrt(0.5))  # root mean square
    assert found[9] == pytest.approx(1)  # entropy, bit
    assert found[10] == pytest.approx(0.5)  # uniformity


def test_flat_images_have_finite_features_without_texture() -> None:
    found = features(np.full((1, 16, 16), 0.4))
    assert np.isfinite(found).all()
    assert found[0, CONTRAST] == 0


def test_noise_raises_contrast() -> None:
    smooth, rough = (features(textured(1, roughness=value)) for value in (0.01, 0.1))
    assert rough[0, CONTRAST] > 3 * smooth[0, CONTRAST]


def test_pixels_outside_the_mask_do_not_count_in_first_order_and_texture() -> None:
    image = textured(1)
    mask = np.zeros(image.shape, dtype=bool)
    mask[:, :, :24] = True
    spoilt = image.copy()
    spoilt[:, :, 24:] = 0
    a, b = (RadiomicFeatures()(values, mask)[0] for values in (image, spoilt))
    np.testing.assert_allclose(a[:24], b[:24])  # filters look a little over the mask's edge
    assert a[23] == 0.5
    np.testing.assert_allclose(a[:23], features(image[:, :, :24])[0, :23])


def test_an_empty_mask_gives_zeros() -> None:
    image = textured(1)
    assert not RadiomicFeatures()(image, np.zeros(image.shape, dtype=bool)).any()
