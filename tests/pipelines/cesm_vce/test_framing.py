from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines.cesm_vce.framing import (
    SIZE,
    Frame,
    breast_region,
    chest_wall,
    framed,
    resized,
    scale_of,
    shrunk,
)
from pipelines.errors import InputError, NothingToTranslate
from tests.mammograms import breast

SIZES = st.integers(1, 60)


@settings(deadline=None)
@given(rows=SIZES, columns=SIZES, wall=st.sampled_from(["left", "right"]))
def test_padding_comes_off_exactly(rows: int, columns: int, wall: str) -> None:
    image = np.random.default_rng(rows).random((rows, columns), np.float32)
    frame = Frame(rows, columns, wall)
    square = frame.pad(image)
    assert square.shape == (frame.side, frame.side)
    np.testing.assert_array_equal(frame.cut(square), image)
    assert square.sum() == pytest.approx(image.sum(), rel=1e-5)


@pytest.mark.parametrize(("side", "wall", "added"), [("L", "left", -1), ("R", "right", 0)])
def test_what_is_added_lies_away_from_the_chest_wall(side: str, wall: str, added: int) -> None:
    image = breast(side=side) + 0.5
    around = framed(breast(side=side))
    assert around.frame.chest_wall == wall
    square = around.frame.pad(image)
    assert not square[:, added].any()
    assert square[:, -1 - added].all()


def test_a_wide_image_is_padded_below() -> None:
    square = Frame(3, 5, "left").pad(np.ones((3, 5), np.float32))
    assert square[:3].all()
    assert not square[3:].any()


@pytest.mark.parametrize("shape", [(3, 4), (5, 4)])
def test_another_shape_is_refused(shape: tuple[int, int]) -> None:
    frame = Frame(4, 4, "left")
    with pytest.raises(InputError, match="wanted"):
        frame.pad(np.zeros(shape, np.float32))
    with pytest.raises(InputError, match="wanted"):
        frame.cut(np.zeros(shape, np.float32))


@settings(deadline=None, max_examples=15)
@example(gain=1.0, offset=-1.0)  # air below the 0 of padding
@given(gain=st.floats(0.5, 4000), offset=st.floats(-50, 2000))
def test_window_and_bit_depth_do_not_matter(gain: float, offset: float) -> None:
    plain = framed(breast())
    other = framed((breast() * gain + offset).astype(np.float32))
    np.testing.assert_array_equal(other.breast, plain.breast)
    np.testing.assert_allclose(other.seen, plain.seen, atol=2e-3)


def test_the_network_sees_the_middle_of_the_breast_as_a_half() -> None:
    around = framed(breast())
    assert around.seen.shape == (SIZE, SIZE)
    assert np.median(around.seen[around.breast]) == pytest.approx(0.5, abs=0.01)
    assert not around.seen[~around.breast].any()
    assert around.breast.mean() == pytest.approx((breast() > 0).sum() / 300**2, abs=0.01)


@pytest.mark.parametrize("image", [np.zeros((50, 40)), np.full((50, 40), 7.0)])
def test_an_even_image_is_refused(image: np.ndarray) -> None:
    with pytest.raises(NothingToTranslate, match="even"):
        framed(image.astype(np.float32))


def test_a_speck_is_no_breast() -> None:
    image = np.zeros((200, 120), np.float32)
    image[100:104, 0:4] = 1
    with pytest.raises(NothingToTranslate, match=r"No breast|even"):
        framed(image)


def test_marks_beside_the_breast_do_not_count() -> None:
    image = breast()
    image[5:15, 160:175] = 1.0
    assert not framed(image).breast[0:14, 130:].any()


def test_holes_in_the_breast_are_filled() -> None:
    image = np.ones((60, 60), np.float32)
    image[20:25, 20:25] = 0
    image[0] = image[-1] = 0
    assert breast_region(image, 0.1)[22, 22]


def test_the_wall_is_where_there_is_more() -> None:
    inside = breast() > 0
    assert chest_wall(inside) == "left"
    assert chest_wall(inside[:, ::-1]) == "right"


def test_sizes_change_without_changing_the_mean() -> None:
    image = np.random.default_rng(1).random((512, 512), np.float32)
    assert resized(image, SIZE).mean() == pytest.approx(image.mean(), rel=1e-4)
    assert resized(image[:100, :100], SIZE).shape == (SIZE, SIZE)
    assert shrunk(np.ones((3000, 2000), np.float32)).shape == (SIZE, 171)
    assert shrunk(np.ones((30, 20), np.float32)).shape == (30, 20)


def test_an_even_breast_has_a_scale() -> None:
    scale = scale_of(np.full(10, 3.0, np.float32))
    assert np.isfinite(scale.apply(np.full((2, 2), 3.0, np.float32))).all()
