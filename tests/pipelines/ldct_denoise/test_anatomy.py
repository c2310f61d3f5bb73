from __future__ import annotations

import numpy as np
import pytest

from pipelines.ldct_denoise.anatomy import Shifts, edges_kept, noise
from pipelines.ldct_denoise.blocks import blocks

TISSUE_HU = {"air": -1000.0, "lung": -700.0, "fat": -100.0, "soft": 40.0, "bone": 600.0}


def grid(value: float) -> np.ndarray:
    return np.full((8, 8), value)


@pytest.mark.parametrize("tissue", TISSUE_HU)
def test_a_shift_is_put_to_its_tissue(tissue: str) -> None:
    shifts = Shifts()
    for name, value in TISSUE_HU.items():
        shifts.add(grid(value) - (7 if name == tissue else 0), grid(value))
    figures = shifts.measurements()
    assert figures[f"shift_{tissue}_hu"] == pytest.approx(7)
    others = [figures[f"shift_{name}_hu"] for name in TISSUE_HU if name != tissue]
    assert others == [0, 0, 0, 0]


def test_noise_that_crosses_borders_is_no_shift() -> None:
    random = np.random.default_rng(0)
    shifts = Shifts()
    for _ in range(50):
        shifts.add(random.normal(40, 60, (32, 32)), grid(40.0).repeat(4, 0).repeat(4, 1))
    assert abs(shifts.measurements()["shift_soft_hu"]) < 1


def test_tissues_that_are_not_there_are_left_out() -> None:
    shifts = Shifts()
    shifts.add(grid(40), grid(40))
    assert set(shifts.measurements()) == {
        "shift_soft_hu", "largest_slice_shift_hu", "largest_jump_hu",
    }  # fmt: skip


def test_a_jump_needs_neighbours_that_show_the_body() -> None:
    shifts = Shifts()
    for moved in (0, 10, 10):
        shifts.add(grid(40), grid(40.0 + moved))
    assert shifts.measurements()["largest_jump_hu"] == 10
    assert shifts.measurements()["largest_slice_shift_hu"] == 10
    lone = Shifts()
    for value in (40.0, -1000.0, 50.0):
        lone.add(grid(40), grid(value))
    assert lone.measurements()["largest_jump_hu"] == 0


def test_noise_is_measured_where_the_body_is_even() -> None:
    image = np.random.default_rng(0).normal(40, 25, (256, 256)).astype(np.float32)
    image[:, :64] += np.random.default_rng(1).choice([0.0, 150.0], (256, 64))
    assert noise(blocks(image)) == pytest.approx(25, rel=0.1)
    assert np.isnan(noise(blocks(image - 1000)))


def test_edges_are_kept_by_denoising_and_lost_by_scaling() -> None:
    truth = np.where(np.arange(256) // 10 % 2, 100.0, 0.0)[None].repeat(256, 0).astype(np.float32)
    truth[:, :160] = 40.0  # even body, from which the noise is known
    noisy = truth + np.random.default_rng(0).normal(0, 20, truth.shape).astype(np.float32)
    assert edges_kept(blocks(noisy), blocks(truth)) == pytest.approx(1, abs=0.05)
    softer = 40 + (truth - 40) * np.float32(0.5)
    assert edges_kept(blocks(noisy), blocks(softer)) == pytest.approx(0.5, abs=0.05)
