from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipelines.mr_to_ct.padding import filled, reach_of


def image(value: float) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.full((4, 5), value, np.float32)


def values(*given: float, reach: int) -> list[float]:
    return [float(one[0, 0]) for one in filled((image(value) for value in given), reach)]


def test_empty_slices_take_the_nearest_image_within_reach() -> None:
    assert values(0, 0, 3, 0, 0, 0, 8, 0, reach=2) == [3, 3, 3, 3, 3, 8, 8, 8]
    assert values(0, 0, 0, 3, 0, 0, 0, reach=2) == [0, 3, 3, 3, 3, 3, 0]
    assert values(3, 0, 0, 8, reach=3) == [3, 3, 8, 8]
    assert values(0, 0, reach=3) == [0, 0]
    assert values(0, 5, reach=0) == [0, 5]


def test_what_an_empty_slice_shows_and_an_image_with_padding_stay() -> None:
    nearly, padded = image(0), image(2)
    nearly[3, 4] = 7
    padded[:3] = 0
    first, second = filled([nearly, padded], reach=4)
    assert first[3, 4] == 7
    assert second is padded
    assert (first[:3] == 0).all()  # the nearest image shows nothing there
    assert (first[3, :4] == 2).all()


@given(st.lists(st.sampled_from([0.0, 1.0, 2.0]), max_size=24), st.integers(0, 5))
def test_every_slice_comes_once_and_the_nearest_image_is_taken(
    given_values: list[float], reach: int
) -> None:
    got = values(*given_values, reach=reach)
    assert len(got) == len(given_values)
    for index, (value, answer) in enumerate(zip(given_values, got, strict=True)):
        if value:
            assert answer == value
            continue
        away = {abs(index - at): v for at, v in reversed([*enumerate(given_values)]) if v}
        near = min(away, default=reach + 1)
        assert answer == (away[near] if near <= reach else 0)


def test_reach_is_two_centimetres() -> None:
    assert (reach_of(3.27), reach_of(25.0), reach_of(0.0)) == (6, 0, 0)
