from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from trainers.simulation.low_dose import (
    Kernel,
    Scanner,
    inserted_noise,
    noise_of_dose,
    project,
    soft_tissue,
    square,
    unsquare,
)
from trainers.simulation.projection import ParallelBeam

SIZE = 96
SCANNER = Scanner(ParallelBeam(SIZE, 2.0, 120), Kernel(0.2), 1e6, 0.0)


def body() -> NDArray[np.float32]:
    down, right = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    inside = (down / 30) ** 2 + (right / 40) ** 2 < 1
    return np.where(inside, 40.0, -1000.0).astype(np.float32)


def deviation(scanner: Scanner, dose: float, seed: int = 0) -> float:
    noise = inserted_noise(scanner, body(), dose, np.random.default_rng(seed))
    return float(noise[body() > 0].std())


@pytest.mark.parametrize("dose", [0.05, 0.1, 0.25, 0.8])
def test_noise_grows_as_the_root_of_one_over_dose_less_one(dose: float) -> None:
    factor = math.sqrt(1 / dose - 1)
    assert deviation(SCANNER, dose) / deviation(SCANNER, 0.5) == pytest.approx(factor, rel=0.08)


def test_noise_goes_as_the_root_of_the_photons() -> None:
    brighter = replace(SCANNER, photons=4 * SCANNER.photons)
    ratio = deviation(SCANNER, 0.25) / deviation(brighter, 0.25)
    assert ratio == pytest.approx(2, rel=0.06)


def test_nothing_is_inserted_at_full_dose() -> None:
    assert deviation(SCANNER, 1 - 1e-9) < 1e-3 * deviation(SCANNER, 0.5)


def test_a_draw_has_the_variance_of_poisson_counts() -> None:
    integrals = np.full((100, 1000), 2.0)
    noise = noise_of_dose(SCANNER, integrals, 0.2, np.random.default_rng(0))
    expected = math.sqrt(0.8 / (SCANNER.photons * 0.2 * math.exp(-2)))
    assert noise.std() == pytest.approx(expected, rel=0.02)
    assert abs(noise.mean()) < 0.05 * expected


def test_electronic_noise_tells_where_counts_are_low() -> None:
    noisy = replace(SCANNER, electronic=30.0)
    raised = []
    for integral in (0.5, 6.0):
        integrals = np.full((50, 1000), integral)
        parts = [
            noise_of_dose(s, integrals, 0.2, np.random.default_rng(0)).std()
            for s in (noisy, SCANNER)
        ]
        raised.append(parts[0] / parts[1])
    assert raised[0] == pytest.approx(1, abs=0.02)
    expected = math.sqrt(1 + 900 / (SCANNER.photons * 0.2 * math.exp(-6)))
    assert raised[1] == pytest.approx(expected, rel=0.1)


def test_starved_rays_stay_finite() -> None:
    starved = replace(SCANNER, photons=30.0, electronic=8.0)
    noise = inserted_noise(starved, body() + 2000, 0.05, np.random.default_rng(0))
    assert np.isfinite(noise).all()


def test_a_slice_that_is_not_square_keeps_its_shape() -> None:
    image = body()[:70]
    assert inserted_noise(SCANNER, image, 0.25, np.random.default_rng(0)).shape == (70, SIZE)
    np.testing.assert_array_equal(unsquare(square(image, SIZE), image.shape), image)


def test_integrals_of_water_are_water() -> None:
    middle = project(SCANNER, np.where(body() > 0, 0, -1000).astype(np.float32))[:, 72]
    assert middle.max() == pytest.approx(80 * 2.0 * 0.0192, rel=0.05)


def test_soft_tissue_is_flat_soft_tissue() -> None:
    image = body()
    image[40:50, 40:50] = 600
    found = soft_tissue(image)
    assert found.any()
    assert (image[found] == 40).all()
