from __future__ import annotations

import numpy as np
import pytest

from pipelines.ldct_denoise.blocks import blocks
from pipelines.ldct_denoise.input_distance import FEATURES, slice_features


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
