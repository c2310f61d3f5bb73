from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from trainers.readers.mr_ct import MrCtSeries, read_prepared, save_prepared
from trainers.simulation.dual_echo import (
    BONE_CORE_HU,
    FAT_HU,
    Drawing,
    draw_parameters,
    echoes,
    resampled,
    simulate_dual_echo,
    water_and_fat,
    without_noise,
)

SCANNER = Drawing(1.5, (2.303, 4.606), 0.4, 30.0, 20.0, 300.0, 0.0)
"""Echoes at exactly half a cycle and a whole one; no noise."""


def disc(hu: float, rows: int = 60) -> npt.NDArray[np.float32]:
    """A round body of one CT number in air, (2, rows, rows)."""
    down, across = np.mgrid[0:rows, 0:rows]
    inside = (down - rows / 2) ** 2 + (across - rows / 2) ** 2 < (rows / 3) ** 2
    return np.repeat(np.where(inside, hu, -1000.0)[None], 2, axis=0).astype(np.float32)


def middle(image: npt.NDArray[np.float32]) -> float:
    return float(image[:, 27:33, 27:33].mean())


def test_in_phase_adds_and_opposed_phase_subtracts() -> None:
    for hu in (30.0, FAT_HU, -40.0):
        opposed, in_phase = echoes(disc(hu), SCANNER, np.random.default_rng(0))
        ratio = middle(opposed) / middle(in_phase)
        if hu == -40.0:  # about as much water as fat: they nearly cancel
            assert ratio < 0.7
        else:
            assert 0.7 < ratio < 1.3


def test_the_pair_tells_fat_where_one_phase_does_not() -> None:
    """The same opposed phase belongs to two fat fractions; the sum of both phases parts them."""
    little, much = (water_and_fat(disc(hu), 0.4) for hu in (0.0, -90.0))
    assert middle(little[0]) > middle(little[1])
    assert middle(much[0]) < middle(much[1])


def test_water_and_fat_are_a_linear_mixture() -> None:
    water, fat = water_and_fat(disc((FAT_HU + 25.0) / 2), 0.4)
    assert middle(fat) == pytest.approx(0.46, abs=0.02)
    assert middle(water) == pytest.approx(0.54, abs=0.02)


def test_cortical_bone_and_air_are_dark() -> None:
    image = disc(40.0)
    image[:, 20:26, 20:26] = 1500.0
    _, in_phase = echoes(image, SCANNER, np.random.default_rng(0))
    assert in_phase[:, 22:24, 22:24].mean() < 0.15 * middle(in_phase)
    assert in_phase[:, :5].max() < 0.05 * middle(in_phase)


def test_vessels_with_contrast_medium_are_no_bone() -> None:
    assert BONE_CORE_HU > 200
    water, fat = water_and_fat(disc(200.0), 0.4)
    assert middle(fat) == 0.0
    assert middle(water) == pytest.approx(1.0)


def test_a_simulation_is_repeatable_and_differs_by_seed() -> None:
    series = MrCtSeries("p", {}, disc(40.0), 1.5, 3.0)
    first, again = simulate_dual_echo(series, 1), simulate_dual_echo(series, 1)
    np.testing.assert_array_equal(first.mr["IP"], again.mr["IP"])
    assert not np.array_equal(first.mr["IP"], simulate_dual_echo(series, 2).mr["IP"])
    assert draw_parameters(np.random.default_rng(1)) != draw_parameters(np.random.default_rng(2))


def test_noise_of_the_ct_does_not_reach_the_mr() -> None:
    quiet = disc(40.0)
    noisy = quiet + np.random.default_rng(0).normal(0, 20, quiet.shape).astype(np.float32)
    assert without_noise(noisy)[:, 25:35, 25:35].std() < 0.5 * noisy[:, 25:35, 25:35].std()


def test_slices_and_pixels_become_those_of_an_mr() -> None:
    ct = np.zeros((7, 100, 100), np.float32)
    small, slice_mm = resampled(ct, 0.75, 1.0)
    assert small.shape == (2, 50, 50)
    assert slice_mm == 3.0


def test_what_is_kept_is_read_again(tmp_path: Path) -> None:
    series = simulate_dual_echo(MrCtSeries("p", {}, disc(40.0), 1.5, 3.0), 1)
    save_prepared(series, tmp_path)
    save_prepared(replace(series, patient="q", ct=None), tmp_path)
    first, second = read_prepared(tmp_path)
    assert second.ct is None
    assert (first.patient, first.pixel_mm, first.slice_mm) == ("p-1", 1.5, 3.0)
    np.testing.assert_allclose(first.mr["OOP"], series.mr["OOP"], atol=1.0)


def test_coils_on_the_skin_see_the_wall_brighter_than_the_middle() -> None:
    with_coils = replace(SCANNER, surface_gain=1.0, surface_reach_mm=10.0)
    plain, near_coils = (
        echoes(disc(40.0), scanner, np.random.default_rng(0)) for scanner in (SCANNER, with_coils)
    )
    wall = (slice(None), slice(28, 32), slice(12, 15))  # within 7 mm of the skin
    for before, after in zip(plain, near_coils, strict=True):
        ratio = (after[wall].mean() / middle(after)) / (before[wall].mean() / middle(before))
        assert 1.5 < ratio < np.exp(1.0)
    inside = disc(40.0) > 0  # what tells water from fat is as before
    before, after = (
        opposed[inside] / in_phase[inside] for opposed, in_phase in (plain, near_coils)
    )
    np.testing.assert_allclose(before, after, rtol=1e-3)


def test_some_simulations_have_coils_on_the_skin_and_some_have_none() -> None:
    drawn = [draw_parameters(np.random.default_rng(seed)).surface_gain for seed in range(40)]
    assert 10 < sum(gain > 0 for gain in drawn) < 38
    assert max(drawn) > 1.0
