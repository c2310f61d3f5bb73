"""The working grid: averages there, interpolation back, whichever way the axes run."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.ct_to_pet.grid import CUBE_MM, WorkingGrid
from pipelines.errors import InputError


def affine(spacing: tuple[float, float, float], signs: tuple[int, ...] = (1, 1, 1)) -> np.ndarray:
    """Slices along z, rows along y, columns along x."""
    made = np.zeros((4, 4))
    made[2, 0], made[1, 1], made[0, 2], made[3, 3] = (
        sign * step for sign, step in zip((*signs, 1), (*spacing, 1.0), strict=True)
    )
    return made


@given(
    shape=st.tuples(*[st.integers(2, 20)] * 3),
    spacing=st.tuples(*[st.floats(0.5, 6)] * 3),
)
@settings(deadline=None, max_examples=40)
def test_constant_stays_constant_there_and_back(
    shape: tuple[int, int, int], spacing: tuple[float, float, float]
) -> None:
    grid = WorkingGrid.of(shape, affine(spacing))
    cubes = grid.averaged(np.full(shape, 37.5, np.float32))
    assert cubes.shape == grid.shape
    assert np.allclose(cubes, 37.5, atol=1e-3)
    back = grid.to_source(cubes)
    assert all(
        np.allclose(grid.slice_of(back, index), 37.5, atol=1e-3) for index in range(shape[0])
    )


def test_total_is_kept_where_cubes_fill_the_volume() -> None:
    values = np.random.default_rng(0).random((8, 16, 12)).astype(np.float32)
    grid = WorkingGrid.of(values.shape, affine((2.0, 1.0, 1.0)))  # 16 mm, 16 mm, 12 mm
    cubes = grid.averaged(values)
    assert cubes.shape == (4, 4, 3)
    volume = 2.0 * 1.0 * 1.0 * values.sum()
    assert cubes.sum() * CUBE_MM**3 == pytest.approx(volume, rel=1e-5)


@pytest.mark.parametrize("signs", list(itertools.product((1, -1), repeat=3)))
def test_patient_axes_do_not_depend_on_the_way_of_storing(signs: tuple[int, ...]) -> None:
    values = np.random.default_rng(1).random((10, 12, 14)).astype(np.float32)
    plain = WorkingGrid.of(values.shape, affine((4.0, 4.0, 4.0)))
    turned = WorkingGrid.of(values.shape, affine((4.0, 4.0, 4.0), signs))
    stored = np.flip(values, tuple(axis for axis in range(3) if signs[axis] < 0))
    assert np.allclose(turned.averaged(stored), plain.averaged(values), atol=1e-6)
    cubes = turned.averaged(stored)
    assert np.allclose(turned.to_source(cubes), stored, atol=1e-6)


def test_axes_may_be_stored_in_another_order() -> None:
    values = np.random.default_rng(2).random((6, 8, 10)).astype(np.float32)  # x, y, z
    stored = np.eye(4) * 4.0
    stored[3, 3] = 1.0
    grid = WorkingGrid.of(values.shape, stored)
    assert np.allclose(grid.averaged(values), values.transpose(2, 1, 0), atol=1e-6)
    assert np.allclose(grid.to_source(grid.averaged(values)), values, atol=1e-6)


def test_linear_rise_comes_back_between_the_outer_cubes() -> None:
    rise = np.broadcast_to(np.arange(64, dtype=np.float32), (4, 8, 64)).copy()
    grid = WorkingGrid.of(rise.shape, affine((4.0, 4.0, 0.5)))
    cubes = grid.averaged(rise)
    assert np.allclose(cubes[0, 0], 8 * np.arange(8) + 3.5)  # towards the left, as the columns
    back = grid.slice_of(grid.to_source(cubes), 1)
    assert np.allclose(back[:, 4:-4], rise[1][:, 4:-4], atol=1e-4)


def test_axes_that_do_not_span_space_are_refused() -> None:
    flat = np.zeros((4, 4))
    flat[2, 0], flat[2, 1], flat[0, 2], flat[3, 3] = 3.0, 1.0, 1.0, 1.0
    with pytest.raises(InputError, match="axes"):
        WorkingGrid.of((4, 4, 4), flat)
    with pytest.raises(InputError, match="size in mm"):
        WorkingGrid.of((4, 4, 4), affine((0.0, 1.0, 1.0)))
