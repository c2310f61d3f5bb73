"""Patches: the identity comes back whole, whatever the shape; nothing but the body is computed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.ct_to_pet.patches import Patches, Tiling, translated


def identity(batches: Iterable[Patches]) -> Iterator[Patches]:
    """A generator that hands back its first channel."""
    for batch in batches:
        yield batch[:, :1]


@given(
    shape=st.tuples(*[st.integers(1, 40)] * 3),
    tiling=st.sampled_from(
        [Tiling(16, 8, False), Tiling(16, 8, True), Tiling(8, 0, False), Tiling(24, 8, True, 8)]
    ),
)
@settings(deadline=None, max_examples=30)
def test_identity_comes_back(shape: tuple[int, int, int], tiling: Tiling) -> None:
    seen = np.random.default_rng(0).random((3, *shape)).astype(np.float32)
    made = translated(seen, np.ones(shape, np.bool_), tiling, identity, batch=3)
    assert np.allclose(made, seen[0], atol=1e-6)


@given(shape=st.tuples(*[st.integers(16, 50)] * 3))
@settings(deadline=None, max_examples=20)
def test_every_cube_is_in_a_patch(shape: tuple[int, int, int]) -> None:
    tiling = Tiling(16, 8, False)
    counts = np.zeros(shape, int)
    for z, y, x in tiling.corners(np.ones(shape, np.bool_)):
        counts[z : z + 16, y : y + 16, x : x + 16] += 1
    assert counts.min() >= 1


def test_overlaps_are_averaged() -> None:
    """Eq. 13: the mean of all patches that hold a cube."""
    numbers = iter(range(100))

    def numbered(batches: Iterable[Patches]) -> Iterator[Patches]:
        for batch in batches:
            yield np.stack([np.full(one[:1].shape, next(numbers), np.float32) for one in batch])

    seen = np.zeros((3, 32, 32, 48), np.float32)
    made = translated(seen, np.ones(seen.shape[1:], np.bool_), Tiling(32, 16, False), numbered, 2)
    assert np.unique(made[..., :16]) == 0
    assert np.unique(made[..., 16:32]) == 0.5
    assert np.unique(made[..., 32:]) == 1


def test_air_is_not_computed() -> None:
    seen = np.ones((3, 96, 96, 96), np.float32)
    mask = np.zeros(seen.shape[1:], np.bool_)
    mask[40:44, 40:44, 40:44] = True
    done = []

    def counted(batches: Iterable[Patches]) -> Iterator[Patches]:
        for batch in batches:
            done.append(len(batch))
            yield batch[:, :1]

    made = translated(seen, mask, Tiling(32, 16, False), counted, batch=4)
    assert np.array_equal(made, mask.astype(np.float32))
    assert sum(done) == 8  # of 125: two along each axis hold a cube of the body
    assert max(done) == 4


def test_nothing_to_do() -> None:
    seen = np.ones((3, 20, 20, 20), np.float32)
    made = translated(seen, np.zeros((20, 20, 20), np.bool_), Tiling(16, 8, True), identity, 2)
    assert made.shape == (20, 20, 20)
    assert not made.any()


@pytest.mark.parametrize("tapered", [True, False])
def test_weights_are_above_zero(tapered: bool) -> None:
    weights = Tiling(32, 16, tapered).weights((32, 32, 48))
    assert weights.shape == (32, 32, 48)
    assert weights.min() > 0
    assert weights.max() == 1


def test_patches_shrink_with_the_volume_where_the_network_lets_them() -> None:
    assert Tiling(80, 16, True, 16).window((50, 200, 80)) == (64, 80, 80)
    assert Tiling(32, 16, False).window((5, 200, 32)) == (32, 32, 32)


def test_network_sees_an_overlap_around_the_body_and_no_more() -> None:
    seen = np.ones((3, 200, 40, 40), np.float32)
    mask = np.zeros(seen.shape[1:], np.bool_)
    mask[100:120, 10:30, 10:30] = True
    shapes = []

    def noted(batches: Iterable[Patches]) -> Iterator[Patches]:
        for batch in batches:
            shapes.append(batch.shape[2:])
            yield batch[:, :1]

    made = translated(seen, mask, Tiling(80, 16, True, 16), noted, batch=1)
    assert np.array_equal(made, mask.astype(np.float32))
    assert shapes == [(64, 48, 48)]  # 20 + 2 x 16 cubes and the 40 there are, in sixteens
