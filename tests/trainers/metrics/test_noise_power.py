from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from trainers.metrics.measurement import Floats, MetricError
from trainers.metrics.noise_power import (
    mean_frequency,
    noise_deviation,
    noise_power_2d,
    noise_power_spectrum,
)


def noise(deviation: float = 20, n: int = 80, side: int = 32) -> Floats:
    return np.random.default_rng(1).normal(0, deviation, (n, side, side))


def test_white_noise_is_flat_at_variance_times_pixel_area() -> None:
    spectrum = noise_power_spectrum(noise(), 0.7)
    np.testing.assert_allclose(spectrum.power[2:], 20**2 * 0.7**2, rtol=0.1)
    assert (spectrum.power_unit, spectrum.frequency_unit) == ("HU^2 mm^2", "1/mm")


def test_its_integral_is_the_variance() -> None:
    power = noise_power_2d(noise(), (0.7, 0.9))
    assert noise_deviation(power, (0.7, 0.9)) == pytest.approx(20, rel=0.01)


def test_trends_are_not_noise() -> None:
    rows, columns = np.mgrid[:32, :32]
    tilted = noise() + 5 * rows - 3 * columns + 1000
    np.testing.assert_allclose(
        noise_power_2d(tilted, (1, 1)), noise_power_2d(noise(), (1, 1)), rtol=1e-6, atol=1e-6
    )


def test_blur_lowers_the_mean_frequency_and_loudness_does_not() -> None:
    plain = mean_frequency(noise_power_spectrum(noise(), 1))
    assert mean_frequency(noise_power_spectrum(3 * noise(), 1)) == pytest.approx(plain)
    blurred = gaussian_filter(noise(), (0, 1, 1))
    assert mean_frequency(noise_power_spectrum(blurred, 1)) < 0.6 * plain


def test_a_tenth_of_the_dose_has_root_ten_times_the_noise(shared_data: Path) -> None:
    deviations = []
    for dose in ("010", "100"):
        name = f"fbp_dose{dose}_signal_absent.npz"
        repeats = np.load(shared_data / "ldct_phantom_lcd" / name)["img"].astype(np.float64)
        differences = np.diff(repeats, axis=0)[::2] / np.sqrt(2)
        centre = differences[:, 96:160, 96:160]
        deviations.append(noise_deviation(noise_power_2d(centre, (1, 1)), (1, 1)))
    assert deviations[0] / deviations[1] == pytest.approx(np.sqrt(10), rel=0.1)


def test_small_regions_are_refused() -> None:
    with pytest.raises(MetricError, match="8 x 8"):
        noise_power_2d(np.zeros((5, 4, 9)), (1, 1))
