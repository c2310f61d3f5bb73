from __future__ import annotations

import math
from pathlib import Path

import pytest

from trainers.evaluation.simulation_check import SimulationCheck, check_simulation
from trainers.simulation.low_dose import ELECTRONIC_PHOTONS


@pytest.fixture(scope="module")
def check(shared_data: Path) -> SimulationCheck:
    folder = shared_data / "ldct_phantom_lcd"
    if not folder.is_dir():
        pytest.skip("the low-contrast phantom is not among the development data")
    return check_simulation(folder)


def test_the_scanned_noise_is_quantum_noise(check: SimulationCheck) -> None:
    assert check.low_hu / check.full_hu == pytest.approx(math.sqrt(10), rel=0.03)


def test_simulated_noise_has_the_deviation_of_scanned_noise(check: SimulationCheck) -> None:
    assert check.simulated_hu == pytest.approx(check.low_hu, rel=0.06)


def test_simulated_noise_has_the_spectrum_of_scanned_noise(check: SimulationCheck) -> None:
    assert check.simulated_frequency == pytest.approx(check.low_frequency, rel=0.08)
    assert check.shape_error < 0.15


def test_electronic_noise_adds_what_the_phantom_lacks(
    check: SimulationCheck, shared_data: Path
) -> None:
    usual = check_simulation(shared_data / "ldct_phantom_lcd", ELECTRONIC_PHOTONS)
    assert 1.05 < usual.simulated_hu / check.simulated_hu < 1.15
