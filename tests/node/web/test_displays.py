from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from node.web.displays import OWN, SUV_WINDOWS, fitting, offered, panels, windows_of
from node.web.rendering import (
    LARGEST_SIDE,
    Window,
    fused,
    fusion_png,
    grey,
    grey_png,
    hot,
    inverted_png,
)

SUV = Window("suv7", "SUV 0 to 7", 3.5, 7.0)


@pytest.mark.parametrize(
    ("sources", "result", "kinds"),
    [
        ({"CT": "CT"}, "", ["before"]),
        ({"CT": "CT"}, "CT", ["before", "after", "difference"]),
        ({"CT": "CT"}, "PT", ["before", "after", "fusion"]),
        ({"LE": "MG"}, "MG", ["before", "after"]),
        ({"IP": "MR", "OOP": "MR"}, "CT", ["before", "before-OOP", "after"]),
    ],
)
def test_a_difference_is_shown_only_in_one_unit(
    sources: dict[str, str], result: str, kinds: list[str]
) -> None:
    assert [panel.kind for panel in panels(sources, result)] == kinds


@pytest.mark.parametrize(
    ("source", "result", "names"),
    [
        ("CT", "CT", ["soft", "lung", "bone"]),
        ("MR", "CT", ["soft", "lung", "bone"]),
        ("CT", "PT", ["suv7", "suv10", "suv15"]),
        ("CT", "", ["soft", "lung", "bone"]),
        ("MG", "MG", ["own"]),
        ("MR", "", ["own"]),
    ],
)
def test_the_windows_are_those_of_the_result(source: str, result: str, names: list[str]) -> None:
    assert list(offered(source, result)) == names


def test_a_window_of_uptake_says_where_it_begins_and_ends() -> None:
    for window in SUV_WINDOWS.values():
        low, high = window.centre - window.width / 2, window.centre + window.width / 2
        assert window.label == f"SUV {low:g} to {high:g}"


def test_a_window_of_another_modality_becomes_the_usual_one() -> None:
    assert fitting(SUV, "CT").name == "soft"
    assert fitting(SUV, "PT") == SUV
    assert fitting(SUV, "MR") == OWN
    assert fitting(windows_of("CT")["bone"], "CT").name == "bone"


def test_uptake_is_black_on_white() -> None:
    values = np.array([[0.0, 3.5, 7.1, 20.0]], np.float32)
    assert grey(values, SUV, inverted=True).tolist() == [[255, 128, 0, 0]]


def test_colours_over_a_ct_show_the_ct_where_there_is_no_uptake() -> None:
    below = np.array([[90, 90, 90]], np.uint8)
    above = np.array([[0.0, 3.5, 7.0]], np.float32)
    nothing, some, much = fused(below, above, SUV)[0].tolist()
    assert nothing == [90, 90, 90]
    assert some == [189, 112, 35]  # half of the window: orange, and 1 - 0.85 * sqrt(0.5) of grey
    assert min(much) > 200  # white
    assert hot(np.array([0.0, 1.0], np.float32)).tolist() == [[0, 0, 0], [255, 255, 255]]


def read(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))


def test_a_pet_has_its_scale_from_white_to_black() -> None:
    picture = read(inverted_png(np.full((512, 512), 255, np.uint8), SUV))
    left = 512 - 2 * (512 // 48)
    column = picture[129:383, left + 3, 0]
    assert column[0] < 8
    assert column[-1] > 247
    assert (np.diff(column.astype(int)) >= 0).all()
    assert read(fusion_png(np.zeros((512, 512, 3), np.uint8), SUV)).shape == (512, 512, 3)


def test_a_mammogram_is_reduced_to_a_picture() -> None:
    picture = read(grey_png(np.full((3328, 2560), 77, np.uint8)))
    assert max(picture.shape) <= LARGEST_SIDE
    assert (picture == 77).all()
