from __future__ import annotations

import numpy as np
import pytest

from pipelines.ldct_denoise.blocks import blocks
from pipelines.ldct_denoise.input_distance import (
    FEATURES,
    KnownInputs,
    series_features,
    slice_features,
)

SIZE = len(FEATURES)


def feature(name: str, image: np.ndarray, before: np.ndarray | None = None) -> float:
    seen = blocks(image.astype(np.float32))
    other = None if before is None else blocks(before.astype(np.float32))
    return float(slice_features(seen, other)[FEATURES.index(name)])


def body(noise_hu: float, seed: int = 0) -> np.ndarray:
    columns = np.linspace(-120, 120, 256)[None].repeat(256, 0)
    return columns + np.random.default_rng(seed).normal(0, noise_hu, (256, 256))


def test_shares_are_log_odds_and_bounded() -> None:
    half = np.full((256, 256), 40.0)
    half[:128] = -1000
    assert feature("air_share", half) == pytest.approx(0)
    assert feature("soft_share", half) == pytest.approx(np.log(99)), "all that is not air"
    assert feature("bone_share", half) == pytest.approx(-np.log(99))


def test_noise_is_told_from_structure() -> None:
    assert feature("noise", body(20)) == pytest.approx(np.log(20), abs=0.15)
    assert feature("noise", body(80)) == pytest.approx(np.log(80), abs=0.15)


def test_fine_noise_has_more_grain_than_coarse() -> None:
    fine = body(40) - body(0)
    coarse = fine[::4, ::4].repeat(4, 0).repeat(4, 1)
    assert feature("grain", fine) > feature("grain", coarse) + 0.5


def test_likeness_is_high_for_neighbours_and_low_for_noise() -> None:
    assert feature("likeness", body(20, 1), body(20, 2)) > 2
    assert (
        abs(feature("likeness", body(0) * 0 + body(80, 1) - body(0), body(80, 2) - body(0))) < 0.3
    )
    assert np.isnan(feature("likeness", body(20)))


def test_a_series_is_the_mean_of_the_slices_that_tell() -> None:
    table = [np.array([1.0, np.nan]), np.array([3.0, np.nan]), np.array([np.nan, np.nan])]
    np.testing.assert_array_equal(series_features(table), [2.0, np.nan])


def test_distance_is_that_of_mahalanobis_and_forgives_what_is_not_known() -> None:
    known = KnownInputs(np.ones(SIZE), np.eye(SIZE) * 4, amber=1, red=2)
    assert known.distance(np.ones(SIZE)) == 0
    away = np.ones(SIZE)
    away[3] += 3
    assert known.distance(away) == pytest.approx(6)
    away[3] = np.nan
    assert known.distance(away) == 0
