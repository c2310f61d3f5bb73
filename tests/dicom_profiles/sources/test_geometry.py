from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_profiles.errors import GeometryError
from dicom_profiles.sources.geometry import Plane, is_axial, same_grid, slice_normal, stack_planes

AXIAL = np.array([1.0, 0, 0, 0, 1, 0])
SPACING = np.array([0.7, 0.8])


def plane(
    z: float, *, x: float = 0.0, orientation: npt.NDArray[np.float64] = AXIAL, rows: float = 0.7
) -> Plane:
    return Plane(np.array([x, -20.0, z]), orientation, np.array([rows, 0.8]))


@st.composite
def orientations(draw: st.DrawFn) -> npt.NDArray[np.float64]:
    """Row and column cosines of any right-handed frame."""
    quaternion = np.array(draw(st.lists(st.floats(-1, 1), min_size=4, max_size=4)))
    length = np.linalg.norm(quaternion)
    w, x, y, z = quaternion / length if length > 0.1 else np.array([1.0, 0, 0, 0])
    row = [1 - 2 * (y * y + z * z), 2 * (x * y + z * w), 2 * (x * z - y * w)]
    column = [2 * (x * y - z * w), 1 - 2 * (x * x + z * z), 2 * (y * z + x * w)]
    return np.array([*row, *column])


@given(
    orientation=orientations(),
    origin=st.lists(st.floats(-500, 500), min_size=3, max_size=3),
    step=st.floats(0.4, 10),
    order=st.permutations(range(7)),
    decimals=st.sampled_from([4, 6, 15]),
)
def test_any_grid_is_found_whatever_the_order(
    orientation: npt.NDArray[np.float64],
    origin: list[float],
    step: float,
    order: list[int],
    decimals: int,
) -> None:
    normal = slice_normal(orientation)
    positions = np.round(np.array(origin) + np.arange(7)[:, None] * step * normal, decimals)
    stack = stack_planes([Plane(positions[i], orientation, SPACING) for i in order])
    assert [order[i] for i in stack.order] == list(range(7))
    for index in range(7):
        np.testing.assert_allclose(
            (stack.affine @ [index, 0, 0, 1])[:3], positions[index], atol=2e-3
        )
    np.testing.assert_allclose(
        (stack.affine @ [0, 1, 0, 0])[:3], orientation[3:] * SPACING[0], atol=1e-9
    )
    np.testing.assert_allclose(
        (stack.affine @ [0, 0, 1, 0])[:3], orientation[:3] * SPACING[1], atol=1e-9
    )


def test_one_slice_gets_its_thickness_as_step() -> None:
    alone = Plane(np.zeros(3), AXIAL, SPACING, thickness=2.5)
    np.testing.assert_allclose(stack_planes([alone]).affine[:3, 0], [0, 0, 2.5])


CORONAL = np.array([1.0, 0, 0, 0, 0, -1])
REFUSALS: dict[str, Callable[[], list[Plane]]] = {
    "at least one slice": lambda: [],
    "one orientation": lambda: [plane(0), plane(1), plane(2, orientation=CORONAL)],
    "one pixel spacing, but 2 of 4": lambda: [plane(0), plane(1), *(plane(2, rows=0.71),) * 2],
    "share a position": lambda: [plane(0), plane(1), plane(1), plane(2)],
    "a gap of about 2 slices": lambda: [plane(z) for z in (0, 1, 2, 5, 6)],
    "uneven slice distances": lambda: [plane(z) for z in (0, 1, 2, 3.3, 4.3)],
    "gantry tilted by 26.6 degrees": lambda: [plane(z, x=z / 2) for z in range(4)],
    "one straight line": lambda: [plane(z, x=1.0 * (z == 2)) for z in range(5)],
    "right angle": lambda: [plane(0, orientation=np.array([1.0, 0, 0, 0.5, 0.8, 0]))],
}


@pytest.mark.parametrize("sentence", REFUSALS)
def test_what_is_no_grid_is_refused(sentence: str) -> None:
    with pytest.raises(GeometryError, match=sentence):
        stack_planes(REFUSALS[sentence]())


def test_rounding_of_the_headers_is_no_other_orientation() -> None:
    rounded, turned = (np.array([1.0, by, 0, -by, 1, 0]) for by in (0.0009, 0.0011))
    assert stack_planes([plane(0), plane(1), plane(2, orientation=rounded)]).order == (0, 1, 2)
    with pytest.raises(GeometryError, match="one orientation, but 1 of 3 differ"):
        stack_planes([plane(0), plane(1), plane(2, orientation=turned)])


def test_tilted_slices_that_are_stacked_along_their_normal_are_a_grid() -> None:
    angle = np.radians(20)
    tilted = np.array([1.0, 0, 0, 0, np.cos(angle), np.sin(angle)])
    normal = slice_normal(tilted)
    stack = stack_planes([Plane(i * 3.0 * normal, tilted, SPACING) for i in range(4)])
    np.testing.assert_allclose(np.linalg.norm(stack.affine[:3, 0]), 3.0)


@pytest.mark.parametrize(("degrees", "axial"), [(0, True), (29, True), (45, False), (90, False)])
def test_axial_allows_a_tilted_gantry(degrees: float, axial: bool) -> None:
    angle = np.radians(degrees)
    assert is_axial(np.array([1.0, 0, 0, 0, np.cos(angle), np.sin(angle)])) is axial


@dataclass
class Grid:
    """A grid in the patient's frame."""

    shape: tuple[int, int, int]
    affine: npt.NDArray[np.float64]
    frame_of_reference: str


def grid(
    shape: tuple[int, int, int] = (10, 64, 48),
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0),
    spacing: tuple[float, float, float] = (3.0, 1.0, 1.0),
    frame_of_reference: str = "1.2.3",
) -> Grid:
    affine = np.eye(4)
    affine[:3, :3] = np.diag(spacing)[::-1]
    affine[:3, 3] = origin
    return Grid(shape, affine, frame_of_reference)


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({}, ""),
        ({"origin": (0.05, 0.0, 0.05)}, ""),
        ({"origin": (0.0, 0.0, 0.11)}, "apart"),
        ({"shape": (9, 64, 48)}, "10 and 9 slices"),
        ({"shape": (10, 48, 64)}, "matrices differ: 64 x 48 and 48 x 64"),
        ({"spacing": (3.0, 1.01, 1.0)}, "apart"),
        ({"frame_of_reference": "1.2.4"}, "frame of reference"),
        ({"frame_of_reference": ""}, "frame of reference"),
    ],
)
def test_two_stacks_on_one_grid(other: dict[str, Any], reason: str) -> None:
    found = same_grid(grid(), grid(**other))
    assert bool(found) is bool(reason)
    assert reason in " ".join(found)


def test_a_rotation_of_less_than_a_degree_is_found() -> None:
    turned = grid()
    turned.affine[:3, 1:3] = turned.affine[:3, 1:3] @ [[1, 0.005], [-0.005, 1]]
    assert "apart" in same_grid(grid(), turned)[0]
