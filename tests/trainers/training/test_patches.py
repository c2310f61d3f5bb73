from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainers.training.patches import ArrayCache, corner_around, cut, draw_corner, turned

SIZES = st.tuples(st.integers(1, 12), st.integers(1, 12))


@given(SIZES, SIZES, st.integers(0, 99))
def test_a_patch_lies_in_the_array_and_is_filled_up_where_the_array_is_short(
    shape: tuple[int, int], size: tuple[int, int], seed: int
) -> None:
    array = np.arange(1, 1 + shape[0] * shape[1]).reshape(1, *shape)
    corner = draw_corner(shape, size, np.random.default_rng(seed))
    patch = cut(array, corner, size, fill=-1)
    assert patch.shape == (1, *size)
    inside = np.minimum(shape, size)
    assert (patch[0, : inside[0], : inside[1]] > 0).all()
    assert (patch == -1).sum() == patch.size - inside.prod()
    assert patch[0, 0, 0] == array[0, corner[0], corner[1]]


def test_every_place_is_drawn() -> None:
    random = np.random.default_rng(0)
    drawn = {draw_corner((5, 4), (3, 4), random) for _ in range(200)}
    assert drawn == {(0, 0), (1, 0), (2, 0)}


@given(st.tuples(st.integers(0, 11), st.integers(0, 7)), SIZES)
def test_a_patch_around_a_point_holds_it(point: tuple[int, int], size: tuple[int, int]) -> None:
    corner = corner_around(point, (12, 8), size)
    for at, first, length, whole in zip(point, corner, size, (12, 8), strict=True):
        assert first <= at < first + length
        assert first == 0 or first + length <= whole


def test_arrays_are_turned_alike() -> None:
    one = np.arange(16.0).reshape(1, 4, 4)
    for seed in range(8):
        first, second = turned([one, one + 100], np.random.default_rng(seed))
        np.testing.assert_array_equal(first + 100, second)
        assert first.flags.c_contiguous
    kinds = {turned([one], np.random.default_rng(s))[0].tobytes() for s in range(60)}
    sides = {
        turned([one], np.random.default_rng(s), quarters=False)[0].tobytes() for s in range(60)
    }
    assert (len(kinds), len(sides)) == (8, 2)


def test_an_array_is_made_once_and_mapped_read_only(tmp_path: Path) -> None:
    made: list[int] = []

    def make() -> np.ndarray[tuple[int], np.dtype[np.float32]]:
        made.append(1)
        return np.ones(3, np.float32)

    kept = ArrayCache(tmp_path / "cache").array("chest @ 1.5 mm", make)
    again = ArrayCache(tmp_path / "cache").array("chest @ 1.5 mm", make)
    assert (len(made), again.tolist()) == (1, [1.0, 1.0, 1.0])
    assert isinstance(kept, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        kept[0] = 2
    ArrayCache(tmp_path / "cache").array("chest @ 3 mm", make)
    assert len(made) == 2
    assert not list(tmp_path.rglob("*.part"))


def test_an_array_that_cannot_be_made_leaves_nothing_to_be_found(tmp_path: Path) -> None:
    def fails() -> np.ndarray[tuple[int], np.dtype[np.float32]]:
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="disk"):
        ArrayCache(tmp_path).array("a", fails)
    assert ArrayCache(tmp_path).array("a", lambda: np.zeros(1, np.float32)).tolist() == [0.0]
