"""Windows: the identity comes back whole, whatever the shape; nothing but the body is computed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.ct_to_pet.patches import Patches, Tiling, translated

PAPER = Tiling(16, 8, False)
FREE = Tiling(24, 8, True, 8)


def identity(batches: Iterable[Patches]) -> Iterator[Patches]:
    """A generator that hands back its first channel."""
    for batch in batches:
        yield batch[:, :1]


def sides(window: tuple[slice, slice, slice]) -> tuple[int, ...]:
    """Cubes along z, y, x."""
    return tuple(along.stop - along.start for along in window)


def some_mask(shape: tuple[int, int, int], seed: int) -> np.ndarray:
    """A few boxes, anywhere."""
    random = np.random.default_rng(seed)
    mask = np.zeros(shape, np.bool_)
    for _ in range(3):
        low = random.integers(0, shape)
        mask[tuple(slice(a, a + random.integers(1, 20)) for a in low)] = True
    return mask


@given(
    shape=st.tuples(*[st.integers(1, 60)] * 3),
    tiling=st.sampled_from([PAPER, Tiling(16, 8, True), Tiling(8, 0, False), FREE]),
    seed=st.integers(0, 1000),
)
@settings(deadline=None, max_examples=60)
def test_identity_comes_back(shape: tuple[int, int, int], tiling: Tiling, seed: int) -> None:
    seen = np.random.default_rng(0).random((3, *shape)).astype(np.float32)
    mask = some_mask(shape, seed)
    made = translated(seen, mask, tiling, identity, batch=3)
    assert np.allclose(made, seen[0] * mask, atol=1e-6)


@given(
    shape=st.tuples(*[st.integers(1, 90)] * 3),
    tiling=st.sampled_from([PAPER, FREE, Tiling(32, 16, True, 16), Tiling(48, 0, True, 16)]),
    seed=st.integers(0, 1000),
)
@settings(deadline=None, max_examples=60)
def test_windows_cover_the_body_within_their_limits(
    shape: tuple[int, int, int], tiling: Tiling, seed: int
) -> None:
    mask = some_mask(shape, seed)
    windows = tiling.windows(mask)
    counts = np.zeros(shape, int)
    for window in windows:
        counts[window] += 1
        assert mask[window].any(), "a window without a body is not computed"
        for side, along, count in zip(sides(window), window, shape, strict=True):
            assert side <= tiling.patch
            assert side % (tiling.granule or tiling.patch) == 0
            assert along.start >= 0
            assert along.stop <= count or along.start == 0, "air only where the volume is smaller"
    assert counts[mask].min() >= 1
    assert len(set(map(str, windows))) == len(windows)


@given(length=st.integers(1, 400))
@settings(deadline=None, max_examples=60)
def test_windows_are_few_and_share_an_overlap(length: int) -> None:
    tiling = Tiling(96, 16, True, 16)
    windows = [window[0] for window in tiling.windows(np.ones((length, 1, 1), np.bool_))]
    assert len(windows) == max(1, -(-(length - 16) // 80)), "as few as 96 cubes can do"
    assert len({window.stop - window.start for window in windows}) == 1
    for one, other in pairwise(windows):
        assert one.stop - other.start >= 16


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


def test_a_cube_counts_less_towards_the_faces_of_its_window() -> None:
    """Between two windows the result goes over from the one to the other."""
    numbers = iter(range(100))

    def numbered(batches: Iterable[Patches]) -> Iterator[Patches]:
        for batch in batches:
            yield np.full((len(batch), 1, *batch.shape[2:]), next(numbers), np.float32)

    seen = np.zeros((3, 48, 16, 16), np.float32)
    made = translated(
        seen, np.ones(seen.shape[1:], np.bool_), Tiling(32, 16, True, 16), numbered, 1
    )
    assert np.allclose(made[:16], 0)
    assert np.allclose(made[16:32, 8, 8], (np.arange(16) + 1) / 17, atol=1e-6)
    assert np.allclose(made[32:], 1)


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


def test_windows_shrink_with_the_volume_where_the_network_lets_them() -> None:
    mask = np.ones((50, 200, 80), np.bool_)
    assert {sides(window) for window in Tiling(80, 16, True, 16).windows(mask)} == {(64, 80, 80)}
    mask = np.ones((5, 20, 32), np.bool_)
    assert {sides(window) for window in Tiling(32, 16, False).windows(mask)} == {(32, 32, 32)}


def test_two_even_windows_in_place_of_three() -> None:
    mask = np.ones((16, 16, 151), np.bool_)
    columns = [window[2] for window in Tiling(96, 16, True, 8).windows(mask)]
    assert columns == [slice(0, 88), slice(63, 151)]


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


def test_each_slab_costs_what_its_body_does() -> None:
    """A wide trunk on thin legs."""
    mask = np.zeros((192, 64, 160), np.bool_)
    mask[:90, 20:40, 60:90] = True
    mask[100:, 4:60, 10:150] = True
    windows = Tiling(96, 0, True, 16).windows(mask)
    assert [sides(window) for window in windows] == [(96, 32, 32), (96, 64, 80), (96, 64, 80)]
