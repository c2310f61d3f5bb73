from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.trainers.phantom_series import SIZE, phantom_series
from trainers.simulation import noise_bank
from trainers.simulation.low_dose import soft_tissue
from trainers.simulation.noise_bank import (
    BODY_HU,
    Stack,
    build_stack,
    draw_dose,
    draw_patches,
    load_stack,
    save_stack,
    thickened,
)


@pytest.fixture(scope="module")
def stack() -> Stack:
    random = np.random.default_rng(0)
    return build_stack(phantom_series(), every=2, draws=3, weight=1.5, random=random)


def test_a_stack_has_noise_for_every_second_slice(stack: Stack) -> None:
    assert stack.slices.shape == (5, SIZE, SIZE)
    assert stack.centres.tolist() == [0, 2, 4]
    assert stack.noise.shape == (3, 3, SIZE, SIZE)
    assert np.isfinite(stack.noise).all()


def test_noise_of_half_the_dose_is_as_strong_as_the_series_own(stack: Stack) -> None:
    flat = soft_tissue(stack.slices.mean(axis=0).astype(np.float32))
    own = stack.slices.std(axis=0, ddof=1)[flat].mean()
    assert stack.noise.astype(np.float32)[..., flat].std() == pytest.approx(own, rel=0.2)


def test_patches_follow_the_law_of_dose(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noise_bank, "UNCHANGED_SHARE", 0.0)
    sigmas = []
    for dose in (0.5, 0.1):
        monkeypatch.setattr(noise_bank, "draw_dose", lambda _, dose=dose: dose)
        patches = draw_patches([stack], 16, 64, np.random.default_rng(1))
        sigmas.append(patches.inserted_sigma)
    np.testing.assert_allclose(sigmas[1] / sigmas[0], math.sqrt(9), rtol=1e-3)


def test_patches_have_the_shapes_and_differ_by_noise(stack: Stack) -> None:
    patches = draw_patches([stack], 12, 48, np.random.default_rng(2))
    assert patches.low.shape == (12, 3, 48, 48)
    assert patches.full.shape == (12, 1, 48, 48)
    inserted = (patches.low[:, 1] - patches.full[:, 0]).std(axis=(1, 2))
    np.testing.assert_allclose(inserted, patches.inserted_sigma, rtol=1e-4)


def test_repeated_neighbours_are_equal_with_their_noise(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(noise_bank, "REPEATED_SHARE", 1.0)
    low = draw_patches([stack], 8, 48, np.random.default_rng(3)).low
    np.testing.assert_array_equal(low[:, 0], low[:, 1])
    np.testing.assert_array_equal(low[:, 2], low[:, 1])


def test_patches_lie_in_the_patient(stack: Stack) -> None:
    full = draw_patches([stack], 64, 32, np.random.default_rng(4)).full
    assert ((full > BODY_HU).mean(axis=(1, 2, 3)) > 0.3).mean() > 0.95


def test_a_slice_smaller_than_the_patch_is_filled_with_air(stack: Stack) -> None:
    patches = draw_patches([stack], 2, 128, np.random.default_rng(5))
    assert patches.low.shape == (2, 3, 128, 128)
    assert (patches.full == -1000).mean() > 0.3


def test_the_same_seed_draws_the_same_patches(stack: Stack) -> None:
    first, again = (draw_patches([stack], 4, 32, np.random.default_rng(6)) for _ in range(2))
    np.testing.assert_array_equal(first.low, again.low)


def test_weights_say_how_often_a_stack_is_drawn(stack: Stack) -> None:
    other = replace(stack, slices=np.full_like(stack.slices, 777), weight=4.5)
    full = draw_patches([stack, other], 200, 8, np.random.default_rng(7)).full
    assert (full == 777).all(axis=(1, 2, 3)).mean() == pytest.approx(0.75, abs=0.1)


def test_what_is_kept_is_what_was_made(stack: Stack, tmp_path: Path) -> None:
    path = tmp_path / "phantom.npz"
    save_stack(stack, path)
    again = load_stack(path)
    assert (again.name, again.weight) == ("phantom", 1.5)
    np.testing.assert_array_equal(again.noise, stack.noise)
    np.testing.assert_array_equal(again.slices, stack.slices)
    assert [file.name for file in tmp_path.iterdir()] == ["phantom.npz"]


def test_thicker_slices_are_means() -> None:
    series = phantom_series()
    thick = thickened(series, 3, 2)
    assert thick.slices.shape == (2, SIZE, SIZE)
    np.testing.assert_allclose(thick.slices[1], series.slices[2:5].mean(axis=0))
    assert (thick.slice_spacing_mm, thick.slice_thickness_mm) == (6.0, 9.0)
    assert thick.shared_noise() == pytest.approx(1 / 3)


def test_half_of_the_doses_are_a_quarter() -> None:
    random = np.random.default_rng(8)
    doses = np.array([draw_dose(random) for _ in range(500)])
    assert (doses == 0.25).mean() == pytest.approx(0.5, abs=0.08)
    assert 0.08 <= doses.min() < doses.max() <= 0.6
