"""Stitching: weights add up to 1 in the body and 0 outside; feathers take the seams away."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.ct_to_pet.stitching import district_weights, seam, stitched


@given(seed=st.integers(0, 1000), feather=st.sampled_from([0.0, 4.0, 16.0, 64.0]))
@settings(deadline=None, max_examples=30)
def test_weights_add_up(seed: int, feather: float) -> None:
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 5, (3, 3, 3)).astype(np.uint8)
    districts = coarse.repeat(4, 0).repeat(4, 1).repeat(4, 2)
    total = sum(district_weights(districts, feather).values(), np.zeros(districts.shape))
    assert np.allclose(total[districts > 0], 1, atol=1e-5)
    assert not np.any(total[districts == 0])


def halves() -> np.ndarray:
    """Legs below, trunk above, nothing at the sides."""
    districts = np.zeros((20, 12, 12), np.uint8)
    districts[:10, 1:-1, 1:-1] = 1
    districts[10:, 1:-1, 1:-1] = 2
    return districts


def test_hard_masks_are_masks() -> None:
    weights = district_weights(halves(), 0.0)
    assert set(np.unique(weights["legs"])) == {0.0, 1.0}
    assert np.array_equal(weights["legs"] > 0, halves() == 1)


def test_feather_is_as_wide_as_it_says() -> None:
    trunk = district_weights(halves(), 16.0)["trunk"][:, 6, 6]
    mixed = np.flatnonzero((trunk > 0) & (trunk < 1))
    assert mixed.tolist() == [8, 9, 10, 11]  # 16 mm: two cubes on each side
    assert np.all(np.diff(trunk) >= 0)
    assert trunk[9] + trunk[10] == pytest.approx(1)


def test_feathered_borders_show_less_of_a_seam() -> None:
    volumes = {"legs": np.ones((20, 12, 12), np.float32), "trunk": np.full((20, 12, 12), 2.0)}
    volumes["legs"] += np.linspace(0, 0.2, 20, dtype=np.float32)[:, None, None]
    volumes["trunk"] += np.linspace(0, 0.2, 20, dtype=np.float32)[:, None, None]
    hard = stitched(volumes, district_weights(halves(), 0.0))
    soft = stitched(volumes, district_weights(halves(), 24.0))
    for label, name in ((1, "legs"), (2, "trunk")):
        assert np.allclose(hard[halves() == label], volumes[name][halves() == label])
    assert not hard[halves() == 0].any()
    assert seam(hard, halves()) > 10
    assert seam(soft, halves()) < 5


def test_no_border_no_seam() -> None:
    assert np.isnan(seam(np.ones((4, 4, 4), np.float32), np.ones((4, 4, 4), np.uint8)))
