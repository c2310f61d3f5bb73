from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import binary_dilation

from pipelines.mr_to_ct.outline import outside

ONE_MM = (1.0, 1.0)


def thigh(noise: float = 0.01) -> npt.NDArray[np.float32]:
    """(1, 120, 100): a bright disc of radius 30 about row 60, column 50, in dark noise."""
    down, across = np.mgrid[0:120, 0:100]
    image = np.abs(np.random.default_rng(0).normal(0.0, noise, (120, 100))) + 1e-6
    image[(down - 60) ** 2 + (across - 50) ** 2 <= 30**2] = 0.7
    return image.astype(np.float32)[None]


def test_what_lies_further_than_the_reach_is_outside() -> None:
    far = outside(thigh(), ONE_MM, 15.0)
    assert not far[60, 8:93].any()  # 50 + 30 + 15, less the tip of the disc
    assert far[60, 98]
    assert far[:12].all()
    assert outside(thigh(), ONE_MM, 0.0)[60, 50 + 33]


def test_the_reach_is_in_mm_along_rows_and_columns() -> None:
    far = outside(thigh(), (3.0, 1.0), 15.0)
    assert far[60 - 37, 50]  # seven rows of 3 mm
    assert not far[60, 50 + 37]


def test_gas_within_the_body_is_inside() -> None:
    lung = thigh()
    lung[:, 45:75, 35:65] = 0.005
    assert not outside(lung, ONE_MM, 0.0)[50:70, 40:60].any()


def test_under_padding_a_body_may_go_on() -> None:
    cut = thigh()
    cut[:, :, 60:] = 0.0
    assert not outside(cut, ONE_MM, 0.0)[:, 62:].any()


def test_where_zeros_are_air_they_may_be_outside() -> None:
    blank = thigh()
    blank[blank < 0.5] = 0.0
    assert not outside(blank, ONE_MM, 15.0).any()
    blank[:, 50:56, 45:55] = 0.0  # a vessel
    blank[:, 2, 2] = 0.01
    far = outside(blank, ONE_MM, 15.0, blank_is_air=True)
    disc = thigh()[0] > 0.5
    assert not far[disc].any()
    assert far[10:][~binary_dilation(disc, iterations=3)[10:]].all()


def test_specks_of_noise_are_no_body() -> None:
    speckled = thigh()
    speckled[:, 5:8, 5:8] = 0.5
    assert outside(speckled, ONE_MM, 5.0)[6, 6]


def test_the_brightest_phase_shows_the_body() -> None:
    opposed = thigh()
    opposed[:, 60:] = 0.02
    both = np.concatenate([opposed, thigh()])
    np.testing.assert_array_equal(outside(both, ONE_MM, 3.0), outside(thigh(), ONE_MM, 3.0))


@pytest.mark.parametrize("value", [0.0, 0.001])
def test_where_no_body_is_shown_nothing_is_outside(value: float) -> None:
    assert not outside(np.full((1, 20, 30), value, np.float32), ONE_MM, 0.0).any()


@given(st.floats(0, 40), st.floats(0, 40))
def test_a_longer_reach_leaves_less_outside(one: float, other: float) -> None:
    nearer, further = (outside(thigh(), ONE_MM, reach) for reach in sorted((one, other)))
    assert not (further & ~nearer).any()
