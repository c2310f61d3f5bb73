"""From Image Position and Orientation to one regular grid, or a sentence why not.

PS3.3 C.7.6.2.1.1. Coordinates are LPS in millimetres; an affine maps
(slice, row, column, 1). Nothing is mended: a stack that is not a grid is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Protocol

import numpy as np
import numpy.typing as npt

from dicom_profiles.errors import GeometryError

Vectors = npt.NDArray[np.float64]

DUPLICATE_MM = 0.01
"""Slices closer than this along the normal lie at the same position."""
POSITION_TOLERANCE_MM = 0.1
"""How far a slice may lie from its place on the grid; headers round to about 0.001."""
POSITION_TOLERANCE_SHARE = 0.1
"""The same as a share of the slice distance, which matters below 1 mm."""
ORIENTATION_TOLERANCE = 1e-3
"""How far direction cosines may differ within a stack."""
UNIT_TOLERANCE = 1e-2
"""How far the cosines may be from unit length and right angle."""
SPACING_TOLERANCE = 1e-4
"""Relative difference of Pixel Spacing within a stack."""
SAME_PLACE_MM = 0.1
"""How far slices of two stacks may lie apart that are acquired together (dual echo)."""
SHEAR_TOLERANCE_DEGREES = 0.5
"""Angle between the stacking direction and the normal; more is gantry tilt."""
AXIAL_TOLERANCE_DEGREES = 30.0
"""Angle between the normal and the body axis up to which a slice is axial; gantries tilt to 30."""


@dataclass(frozen=True, eq=False)
class Plane:
    """Where one slice lies in the patient.

    Attributes:
        position: (3,) centre of the first pixel, LPS in mm (0020,0032).
        orientation: (6,) cosines of the row, then of the column (0020,0037).
        spacing: (2,) distance between rows, then between columns, in mm (0028,0030).
        thickness: Slice Thickness in mm; used only where there is a single slice.
    """

    position: Vectors
    orientation: Vectors
    spacing: Vectors
    thickness: float = 1.0


@dataclass(frozen=True, eq=False)
class Stack:
    """The grid that planes make.

    Attributes:
        order: indices of the planes, sorted along the normal.
        affine: (4, 4), maps (slice, row, column, 1) to LPS in mm.
    """

    order: tuple[int, ...]
    affine: Vectors


def slice_normal(orientation: Vectors) -> Vectors:
    """Unit normal of a slice, (3,): row direction x column direction."""
    normal = np.cross(orientation[:3], orientation[3:])
    length = float(np.linalg.norm(normal))
    rows = float(np.linalg.norm(orientation[:3]))
    columns = float(np.linalg.norm(orientation[3:]))
    if max(abs(rows - 1), abs(columns - 1), abs(length - 1)) > UNIT_TOLERANCE:
        raise GeometryError(
            "Image Orientation (Patient) should be two unit vectors at a right angle, got lengths "
            f"{rows:.3f} and {columns:.3f} with a cross product of {length:.3f}; send the series "
            "again from the scanner."
        )
    return np.asarray(normal / length, dtype=np.float64)


def is_axial(orientation: Vectors) -> bool:
    """Whether the slice lies across the body axis, gantry tilt included."""
    normal = slice_normal(orientation)
    return bool(abs(normal[2]) >= np.cos(np.radians(AXIAL_TOLERANCE_DEGREES)))


def stack_planes(planes: Sequence[Plane]) -> Stack:
    """Sort planes along their normal and prove that they make a grid.

    Refuses mixed orientation or pixel spacing, duplicate positions, gaps, uneven
    distances and sheared stacks (gantry tilt).
    """
    if not planes:
        raise GeometryError("A stack needs at least one slice, got none.")
    _refuse_mixed(planes)
    normal = slice_normal(planes[0].orientation)
    positions = np.array([plane.position for plane in planes])  # (n, 3)
    distances = positions @ normal
    order = np.argsort(distances, kind="stable")
    positions, distances = positions[order], distances[order]
    if len(planes) == 1:
        step = normal * (planes[0].thickness or 1.0)
    else:
        _refuse_uneven(distances)
        step = (positions[-1] - positions[0]) / (len(planes) - 1)
        _refuse_shear(step, normal)
        _refuse_off_line(positions, step)
    return Stack(tuple(int(i) for i in order), affine_of(planes[order[0]], step))


class Grid(Protocol):
    """What has a grid in the patient's frame: a source series, say."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows, columns."""

    @property
    def affine(self) -> Vectors:
        """(4, 4); maps (slice, row, column, 1) to LPS in mm."""

    @property
    def frame_of_reference(self) -> str:
        """Frame of Reference UID."""


def same_grid(one: Grid, other: Grid) -> list[str]:
    """What speaks against two stacks having their slices at the same places.

    Returns:
        A sentence for each difference; empty when every pixel of the one lies within
        `SAME_PLACE_MM` of the same pixel of the other, in one frame of reference.
    """
    if one.frame_of_reference != other.frame_of_reference or not one.frame_of_reference:
        return ["They are not in one frame of reference (0020,0052)."]
    if one.shape[0] != other.shape[0]:
        return [f"They have {one.shape[0]} and {other.shape[0]} slices."]
    if one.shape != other.shape:
        sizes = " and ".join(f"{grid.shape[1]} x {grid.shape[2]}" for grid in (one, other))
        return [f"Their matrices differ: {sizes}."]
    corners = np.array(list(product(*((0, count - 1) for count in one.shape), (1,))), np.float64)
    apart = corners @ (one.affine - other.affine).T  # (8, 4), mm
    farthest = float(np.linalg.norm(apart[:, :3], axis=1).max())
    if farthest > SAME_PLACE_MM:
        return [f"Their slices lie up to {farthest:.2f} mm apart ({SAME_PLACE_MM:g} is allowed)."]
    return []


def affine_of(plane: Plane, step: Vectors) -> Vectors:
    """Affine (4, 4) of a stack that starts with `plane`; `step` leads to the next slice, in mm."""
    affine = np.eye(4)
    affine[:3, 0] = step
    # PS3.3 C.7.6.2.1.1: the column cosines (second triplet) lead from row to row.
    affine[:3, 1] = plane.orientation[3:] * plane.spacing[0]
    affine[:3, 2] = plane.orientation[:3] * plane.spacing[1]
    affine[:3, 3] = plane.position
    return affine


def _refuse_mixed(planes: Sequence[Plane]) -> None:
    first = planes[0]
    for name, spread, allowed in (
        ("orientation", [p.orientation - first.orientation for p in planes], ORIENTATION_TOLERANCE),
        ("pixel spacing", [p.spacing / first.spacing - 1 for p in planes], SPACING_TOLERANCE),
    ):
        different = int((np.abs(np.array(spread)).max(axis=1) > allowed).sum())
        if different:
            raise GeometryError(
                f"All slices need one {name}, but {different} of {len(planes)} differ from the "
                "first; split the series (a localizer or a reformat may be in it)."
            )


def _refuse_uneven(distances: Vectors) -> None:
    steps = np.diff(distances)
    usual = float(np.median(steps))
    if float(steps.min()) < DUPLICATE_MM:
        raise GeometryError(
            f"Each position needs one slice, but {int((steps < DUPLICATE_MM).sum())} of "
            f"{len(distances)} slices share a position with another; split the series by "
            "acquisition or reconstruction."
        )
    allowed = min(POSITION_TOLERANCE_MM, POSITION_TOLERANCE_SHARE * usual)
    worst = int(np.argmax(np.abs(steps - usual)))
    if abs(float(steps[worst]) - usual) <= allowed:
        return
    missing = round(float(steps[worst]) / usual) - 1
    slices = f"{missing} slice{'s' if missing > 1 else ''}"
    what = f"a gap of about {slices}" if missing >= 1 else "uneven slice distances"
    raise GeometryError(
        f"Slices should follow each other every {usual:.3f} mm, but there is {what}: "
        f"{steps[worst]:.3f} mm after slice {worst + 1} of {len(distances)}; send the missing "
        "slices or split the series."
    )


def _refuse_shear(step: Vectors, normal: Vectors) -> None:
    cosine = float(np.clip(step @ normal / np.linalg.norm(step), -1.0, 1.0))
    degrees = float(np.degrees(np.arccos(cosine)))
    if degrees > SHEAR_TOLERANCE_DEGREES:
        raise GeometryError(
            f"Slices should lie straight above each other, but each is shifted against the one "
            f"before, as with a gantry tilted by {degrees:.1f} degrees "
            f"({SHEAR_TOLERANCE_DEGREES:g} are allowed); send a reconstruction without tilt."
        )


def _refuse_off_line(positions: Vectors, step: Vectors) -> None:
    grid = positions[0] + np.arange(len(positions))[:, None] * step
    off = np.linalg.norm(positions - grid, axis=1)
    allowed = min(POSITION_TOLERANCE_MM, POSITION_TOLERANCE_SHARE * float(np.linalg.norm(step)))
    # Half a step's rounding may add up on either side of the middle of the stack.
    if float(off.max()) > 2 * allowed:
        raise GeometryError(
            f"Slices should lie on one straight line, but slice {int(off.argmax()) + 1} of "
            f"{len(positions)} is {off.max():.2f} mm beside it; send the series again."
        )
