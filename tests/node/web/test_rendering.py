"""HU to pixels: windows, false colours, labels."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from node.web.rendering import (
    BAR_STEPS,
    DARK_ON_LIGHT,
    DIFFERENCE_SPAN_HU,
    HIGHER,
    LOWER,
    SMALLEST_SIDE,
    WINDOWS,
    Window,
    difference,
    difference_png,
    false_colours,
    fusion_png,
    grey,
    grey_png,
    hot,
    inverted_png,
    scaled_png,
    window_for,
)


def read(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))


@pytest.mark.parametrize(
    ("body_part", "description", "wanted"),
    [
        ("CHEST", "", "lung"),
        ("", "Thorax low dose", "lung"),
        ("ABDOMEN", "", "soft"),
        ("LSPINE", "", "bone"),
        ("", "", "soft"),
    ],
)
def test_the_window_of_a_body_part(body_part: str, description: str, wanted: str) -> None:
    assert window_for(body_part, description).name == wanted


@given(st.sampled_from(sorted(WINDOWS)), st.floats(-2000, 4000, width=32))
def test_a_window_maps_its_range_to_black_and_white(name: str, value: float) -> None:
    window = WINDOWS[name]
    low, high = window.centre - window.width / 2, window.centre + window.width / 2
    shade = int(grey(np.array([[value]], np.float32), window)[0, 0])
    if value <= low:
        assert shade == 0
    elif value >= high:
        assert shade == 255
    else:
        assert abs(shade - 255 * (value - low) / window.width) <= 1.01


def test_the_difference_is_symmetric_and_black_where_nothing_changed() -> None:
    before = np.full((1, 6), -40, np.float32)
    changes = DIFFERENCE_SPAN_HU * np.array([[-1, -0.5, 0, 0.5, 1, 90]], np.float32)
    half_lower, half_higher = (tuple(part // 2 for part in colour) for colour in (LOWER, HIGHER))
    assert [tuple(map(int, pixel)) for pixel in difference(before, before + changes)[0]] == [
        LOWER,
        half_lower,
        (0, 0, 0),
        half_higher,
        HIGHER,
        HIGHER,
    ]


def test_a_small_matrix_is_enlarged_and_a_large_one_is_not() -> None:
    assert read(grey_png(np.zeros((64, 64), np.uint8))).shape == (SMALLEST_SIDE, SMALLEST_SIDE)
    assert read(grey_png(np.zeros((600, 700), np.uint8))).shape == (600, 700)


def test_the_mark_is_drawn_and_legible_on_any_ground() -> None:
    for ground in (0, 255):
        plain = np.full((512, 512), ground, np.uint8)
        marked = read(grey_png(plain, "SYNTHETIC"))
        assert (read(grey_png(plain)) == plain).all()
        changed = marked != plain
        assert changed[-60:].sum() > 300
        assert not changed[:-60].any()


def test_the_difference_has_its_scale_bar() -> None:
    picture = read(difference_png(np.zeros((512, 512, 3), np.uint8)))
    colours = {tuple(map(int, pixel)) for pixel in picture.reshape(-1, 3)}
    assert {LOWER, HIGHER} <= colours


def test_a_scale_falls_from_the_upper_end_of_its_window_to_the_lower() -> None:
    plain = np.full((512, 512), 200, np.uint8)
    colours = np.repeat(plain[..., np.newaxis], 3, axis=2)
    window, ends, mark = Window("odd", "", 3.0, 8.0), ("SUV 7", "3", "-1"), "SYNTHETIC"
    falling = np.linspace(1, 0, BAR_STEPS, dtype=np.float32)
    dark_first = np.repeat(255 - (255 * falling[:, np.newaxis]).astype(np.uint8), 3, axis=1)
    assert fusion_png(colours, window, mark) == scaled_png(colours, hot(falling), ends, mark)
    inverted = scaled_png(colours, dark_first, ends, mark, DARK_ON_LIGHT)
    assert inverted_png(plain, window, mark) == inverted
    both_ways = false_colours(np.linspace(1, -1, BAR_STEPS, dtype=np.float32))
    wanted = scaled_png(colours, both_ways, ("+60 HU", "0", "-60 HU"), mark)
    assert difference_png(colours, mark) == wanted


@pytest.mark.parametrize(
    ("ticks", "height"), [(("7", "", ""), 0.25), (("", "7", ""), 0.5), (("", "", "7"), 0.75)]
)
def test_the_words_of_a_scale_stand_beside_what_they_name(
    ticks: tuple[str, str, str], height: float
) -> None:
    colours, column = np.zeros((600, 512, 3), np.uint8), np.full((BAR_STEPS, 3), 77, np.uint8)
    without = read(scaled_png(colours, column, ("", "", "")))
    bar_rows, bar_columns = np.nonzero((without == 77).all(axis=2))
    changed = (read(scaled_png(colours, column, ticks)) != without).any(axis=2)
    rows, columns = np.nonzero(changed)
    assert rows.mean() == pytest.approx(600 * height, abs=4)
    assert columns.max() < bar_columns.min()
    assert np.ptp(bar_rows) == pytest.approx(300, abs=2)


def test_words_on_white_are_dark_and_as_large_on_a_low_picture() -> None:
    """A whole body's slice is wide and low; its page shows it as wide as any other."""
    window = Window("suv7", "SUV 0 to 7", 3.5, 7.0)
    low = np.full((200, 512), 255, np.uint8)
    marked, plain = read(inverted_png(low, window, "SYNTHETIC")), read(inverted_png(low, window))
    rows, columns = np.nonzero((marked != plain).any(axis=2))
    assert np.ptp(rows) >= 10
    assert np.ptp(columns) >= 90
    words = marked[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert (words < 80).all(axis=2).mean() > 0.1  # dark strokes
    assert tuple(words[0, 0]) == (255, 255, 255)
