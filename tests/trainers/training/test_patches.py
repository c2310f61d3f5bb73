from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trainers.training.patches import corner_around, cut

SIZES = st.tuples(st.integers(1, 12), st.integers(1, 12))


@given(SIZES, SIZES, SIZES)
def test_a_patch_lies_in_the_array_and_is_filled_up_where_the_array_is_short(
    shape: tuple[int, int], size: tuple[int, int], point: tuple[int, int]
) -> None:
    array = np.arange(1, 1 + shape[0] * shape[1]).reshape(1, *shape)
    corner = corner_around(point, shape, size)
    patch = cut(array, corner, size)
    assert patch.shape == (1, *size)
    inside = np.minimum(shape, size)
    assert (patch[0, : inside[0], : inside[1]] > 0).all()
    assert (patch == 0).sum() == patch.size - inside.prod()
    assert patch[0, 0, 0] == array[0, corner[0], corner[1]]


@given(st.tuples(st.integers(0, 11), st.integers(0, 7)), SIZES)
def test_a_patch_around_a_point_holds_it(point: tuple[int, int], size: tuple[int, int]) -> None:
    corner = corner_around(point, (12, 8), size)
    for at, first, length, whole in zip(point, corner, size, (12, 8), strict=True):
        assert first <= at < first + length
        assert first == 0 or first + length <= whole
