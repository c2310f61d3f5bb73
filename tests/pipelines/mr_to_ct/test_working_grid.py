from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.mr_to_ct.working_grid import LARGEST_SIDE, WorkingGrid


def affine(rows_mm: float, columns_mm: float) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    made = np.zeros((4, 4))
    made[2, 0], made[1, 1], made[0, 2], made[3, 3] = 3.0, rows_mm, columns_mm, 1.0
    return made


def test_near_pixels_stay() -> None:
    grid = WorkingGrid.of((5, 100, 120), affine(0.98, 0.98), 1.0)
    image = np.random.default_rng(0).random((100, 120)).astype(np.float32)
    assert grid.to_working(image) is image
    assert grid.to_native(image) is image


def test_other_pixels_are_resampled_and_come_back() -> None:
    grid = WorkingGrid.of((5, 100, 120), affine(0.5, 2.0), 1.0)
    assert grid.working == (50, 240)
    down, across = np.mgrid[0:100, 0:120] / 100
    image = (1 + np.sin(3 * down) * np.cos(2 * across)).astype(np.float32)
    back = grid.to_native(grid.to_working(image))
    assert back.shape == (100, 120)
    assert np.abs(back - image).max() < 0.05


def test_distances_of_what_the_network_sees_are_known() -> None:
    grid = WorkingGrid.of((5, 100, 120), affine(0.75, 3.0), 1.5)
    assert (grid.working, grid.pixel_mm) == ((50, 240), (1.5, 1.5))
    bounded = WorkingGrid.of((5, 800, 90), affine(3.0, 1.6), 1.5)
    assert bounded.working == (LARGEST_SIDE, 90)
    assert bounded.pixel_mm == pytest.approx((3.0 * 800 / LARGEST_SIDE, 1.6))


def test_padding_stays_zero() -> None:
    grid = WorkingGrid.of((1, 64, 64), affine(0.5, 0.5), 1.0)
    image = np.ones((64, 64), np.float32)
    image[:, :22] = 0.0
    seen = grid.to_working(image)
    assert (seen[:, :11] == 0).all()  # an eighth of column 10 is of the image beside it
    assert (seen[:, 11:] > 0.8).all()


@given(
    rows=st.integers(1, 700), columns=st.integers(1, 700),
    sizes=st.tuples(st.floats(0.2, 5), st.floats(0.2, 5)),
)  # fmt: skip
def test_no_size_is_out_of_bounds(rows: int, columns: int, sizes: tuple[float, float]) -> None:
    grid = WorkingGrid.of((1, rows, columns), affine(*sizes), 1.5)
    assert all(1 <= side <= max(LARGEST_SIDE, rows, columns) for side in grid.working)


@pytest.mark.parametrize("pixel_mm", [1.0, 1.5])
def test_oblique_slices_have_the_same_spacing(pixel_mm: float) -> None:
    turn = np.eye(4)
    turn[:2, :2] = [[0.8, -0.6], [0.6, 0.8]]
    straight = WorkingGrid.of((3, 200, 200), affine(2.0, 2.0), pixel_mm)
    assert WorkingGrid.of((3, 200, 200), turn @ affine(2.0, 2.0), pixel_mm) == straight
