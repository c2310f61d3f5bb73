from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from trainers.simulation.low_dose import Kernel, Scanner, inserted_noise
from trainers.simulation.noise_calibration import CalibrationError, calibrate, flat_tiles
from trainers.simulation.projection import ParallelBeam


def body(size: int = 192) -> NDArray[np.float32]:
    """An ellipse of soft tissue with a bone, without noise."""
    down, right = np.mgrid[:size, :size] - (size - 1) / 2
    image = np.full((size, size), -1000.0, np.float32)
    image[(down / 60) ** 2 + (right / 85) ** 2 < 1] = 50.0
    image[(down - 35) ** 2 + right**2 < 100] = 600.0
    return image


@pytest.mark.parametrize(
    ("f50", "photons", "spacing_mm"),
    [
        (0.22, 2e5, 1.2),
        (0.35, 2e6, 1.2),
        (0.22, 2e5, 2.2),  # a big body: electronic noise does not scale with the photons
    ],
)
def test_noise_of_a_known_scanner_is_found_again(
    f50: float, photons: float, spacing_mm: float
) -> None:
    scanner = Scanner(ParallelBeam(192, spacing_mm, 240), Kernel(f50), photons)
    random = np.random.default_rng(3)
    noise = np.stack([inserted_noise(scanner, body(), 0.5, random) for _ in range(3)])
    found = calibrate(body() + noise, spacing_mm, views=240)
    again = np.stack([inserted_noise(found, body(), 0.5, random) for _ in range(3)])
    flat = np.zeros(body().shape, bool)
    for row, column in flat_tiles(body()):
        flat[row : row + 16, column : column + 16] = True
    assert again[:, flat].std() == pytest.approx(noise[:, flat].std(), rel=0.12)


def test_air_alone_is_refused_with_a_sentence() -> None:
    with pytest.raises(CalibrationError, match="leave the series out"):
        calibrate(np.full((2, 64, 64), -1000.0, np.float32), 1.0)
