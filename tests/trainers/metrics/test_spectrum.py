from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from tests.trainers.metrics.samples import UNIT, images, textured
from trainers.metrics.measurement import EVERY_VOXEL, ImageSet, MetricError
from trainers.metrics.spectrum import (
    discrete_frechet,
    power_spectrum,
    radial_average,
    raps_distance,
    spectral_correlation,
)


def test_a_wave_has_its_power_at_its_frequency() -> None:
    x = np.arange(64)
    wave = 0.5 + 0.4 * np.cos(2 * np.pi * 8 * x / 64) * np.ones((64, 1))
    spectrum = power_spectrum(ImageSet(wave[None], EVERY_VOXEL), UNIT)
    peak = int(spectrum.power.argmax())
    assert spectrum.frequency[peak] == pytest.approx(8 / 64, abs=0.5 / 64)
    assert spectrum.power[peak] > 1e6 * np.delete(spectrum.power, peak).max()


def test_white_noise_is_flat_at_its_variance() -> None:
    noise = np.random.default_rng(0).normal(0.5, 0.05, (60, 32, 32))
    spectrum = power_spectrum(ImageSet(noise, EVERY_VOXEL), UNIT)
    np.testing.assert_allclose(spectrum.power, 0.05**2, rtol=0.12)


def test_frequencies_reach_nyquist_and_follow_the_spacing() -> None:
    frequency, power = radial_average(np.ones((32, 32)), spacing=0.5)
    assert frequency[-1] == pytest.approx(1, abs=0.02)  # 1 / (2 x 0.5)
    assert frequency[0] == pytest.approx(1 / 16, rel=0.25)  # the ring holds diagonals too
    assert (np.diff(frequency) > 0).all()
    np.testing.assert_allclose(power, 1)


def test_curves_of_equal_sets_have_no_distance_and_blur_adds_one() -> None:
    real = images()
    blurred = ImageSet(gaussian_filter(real.images, (0, 2, 2)), EVERY_VOXEL)
    assert raps_distance(real, real, UNIT).value == 0
    alike = raps_distance(real, images(seed=1), UNIT).value
    assert raps_distance(real, blurred, UNIT).value > 10 * alike


def test_discrete_frechet_distance_of_known_curves() -> None:
    line = np.column_stack([np.arange(5.0), np.zeros(5)])
    assert discrete_frechet(line, line) == 0
    assert discrete_frechet(line, line + np.array([0, 3])) == 3
    assert discrete_frechet(line, line[::-1]) == 4  # same points, walked the other way
    there_and_back = np.array([[0.0, 0], [4, 0], [0, 0], [4, 0]])
    assert discrete_frechet(line, there_and_back) == 2
    assert discrete_frechet(there_and_back, line) == 2


def test_spectrum_of_an_image_correlates_with_itself() -> None:
    one = ImageSet(textured(1), EVERY_VOXEL)
    assert spectral_correlation(one, one, UNIT).value == pytest.approx(1)


def test_spectral_correlation_over_that_of_real_sets_is_about_1_for_real_ones() -> None:
    baseline = spectral_correlation(images(seed=1), images(seed=2), UNIT).value
    other = spectral_correlation(images(seed=1), images(seed=3), UNIT).value
    assert other / baseline == pytest.approx(1, abs=0.05)
    noise = ImageSet(np.random.default_rng(5).uniform(0, 1, (6, 48, 48)), EVERY_VOXEL)
    assert spectral_correlation(images(seed=1), noise, UNIT).value < baseline


def test_shift_of_the_content_does_not_change_the_power() -> None:
    first = textured(2)
    moved = ImageSet(np.roll(first, (5, 9), (1, 2)), EVERY_VOXEL)
    assert raps_distance(ImageSet(first, EVERY_VOXEL), moved, UNIT).value < 1e-12


def test_tiny_images_are_refused() -> None:
    with pytest.raises(MetricError, match="4 x 4"):
        power_spectrum(ImageSet(np.zeros((2, 3, 9)), EVERY_VOXEL), UNIT)
