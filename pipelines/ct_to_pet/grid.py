"""The model's own grid: cubes of 4 mm along the patient's axes, and the way there and back.

PET resolves about 6 mm, CT a tenth of that: the network works on cubes that hold what a PET can
show. A CT is averaged into them slice by slice (so memory does not grow with the matrix), and
the result is interpolated back onto the CT's own slices.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from pipelines.errors import InputError

Cubes = npt.NDArray[np.float32]
"""(z, y, x) float32 on the working grid: towards the head, the back and the left (LPS)."""

Matrix = npt.NDArray[np.float32]
"""(cubes, voxels) or (voxels, cubes) along one axis: how the one is made of the other."""

CUBE_MM = 4.0
"""Edge of a cube."""

PATIENT_AXES = (2, 1, 0)
"""Rows of an affine (x, y, z) in the order of the working grid's axes (z, y, x)."""


@dataclass(frozen=True, eq=False)
class WorkingGrid:
    """Cubes over the extent of a source volume.

    Attributes:
        source_shape: slices, rows, columns of the source.
        spacing_mm: of the source along its axes.
        order: which axis of the source is the grid's z, y, x.
        flipped: for each axis of the source, whether its index falls where the patient's rises.
    """

    source_shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    order: tuple[int, int, int]
    flipped: tuple[bool, bool, bool]

    @classmethod
    def of(cls, shape: tuple[int, int, int], affine: npt.NDArray[np.float64]) -> WorkingGrid:
        """The grid over a volume; each axis of the volume goes to the nearest patient axis.

        Raises:
            InputError: two axes of the volume lie nearest to one axis of the patient.
        """
        steps = np.asarray(affine, np.float64)[:3, :3]  # columns: one step along a source axis
        lengths = np.linalg.norm(steps, axis=0)
        if not np.isfinite(steps).all() or float(lengths.min()) <= 0:
            raise InputError(f"The CT needs voxels with a size in mm, got {lengths}.")
        nearest = np.abs(steps).argmax(axis=0)  # patient axis of each source axis
        if sorted(nearest) != [0, 1, 2]:
            raise InputError(
                "The axes of the CT should lie along the patient's (up to 45 degrees), but two of "
                "them lie along the same; send axial images."
            )
        order = tuple(int(np.flatnonzero(nearest == axis)[0]) for axis in PATIENT_AXES)
        flipped = tuple(bool(steps[nearest[axis], axis] < 0) for axis in range(3))
        spacing = tuple(float(length) for length in lengths)
        return cls(shape, spacing, order, flipped)  # type: ignore[arg-type]

    @property
    def _counts(self) -> tuple[int, ...]:
        """Cubes along each axis of the source."""
        return tuple(
            max(1, math.ceil(count * spacing / CUBE_MM - 1e-6))
            for count, spacing in zip(self.source_shape, self.spacing_mm, strict=True)
        )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Cubes along z, y, x."""
        z, y, x = (self._counts[axis] for axis in self.order)
        return z, y, x

    @cached_property
    def averaging(self) -> tuple[Matrix, Matrix, Matrix]:
        """For each axis of the source: (cubes, voxels), rows sum to 1."""
        slices, rows, columns = (
            _averaging(cubes, voxels, spacing)
            for cubes, voxels, spacing in zip(
                self._counts, self.source_shape, self.spacing_mm, strict=True
            )
        )
        return slices, rows, columns

    @cached_property
    def interpolating(self) -> tuple[Matrix, Matrix, Matrix]:
        """For each axis of the source: (voxels, cubes), rows sum to 1."""
        slices, rows, columns = (
            _interpolating(cubes, voxels, spacing)
            for cubes, voxels, spacing in zip(
                self._counts, self.source_shape, self.spacing_mm, strict=True
            )
        )
        return slices, rows, columns

    @property
    def _turned(self) -> tuple[int, ...]:
        """Axes of the source whose index falls where the patient's rises."""
        return tuple(axis for axis in range(3) if self.flipped[axis])

    def to_patient(self, values: Cubes) -> Cubes:
        """From the source's order of axes to z, y, x of the patient."""
        turned = np.flip(values, self._turned)
        return np.ascontiguousarray(turned.transpose(self.order))

    def to_source(self, values: Cubes) -> Cubes:
        """The way back of `to_patient`."""
        turned = values.transpose(np.argsort(self.order))
        return np.ascontiguousarray(np.flip(turned, self._turned))

    def averaged(self, slices: Iterable[Cubes]) -> Cubes:
        """Average the slices of the source, (rows, columns) each or (n, rows, columns), in cubes.

        Returns:
            (z, y, x), or (n, z, y, x) where a slice holds n quantities.
        """
        along, rows, columns = self.averaging
        total: Cubes | None = None
        for index, image in enumerate(slices):
            plane = rows @ image @ columns.T  # (..., y, x)
            if total is None:
                total = np.zeros((len(along), *plane.shape), np.float32)
            for cube in np.flatnonzero(along[:, index]):
                total[cube] += along[cube, index] * plane
        if total is None:
            raise InputError("The CT should hold slices, got none.")
        if total.ndim == 3:
            return self.to_patient(total)
        return np.stack([self.to_patient(total[:, n]) for n in range(total.shape[1])])

    def slice_of(self, in_source_order: Cubes, index: int) -> npt.NDArray[np.float32]:
        """One slice of the source, (rows, columns), interpolated linearly between cubes.

        Args:
            in_source_order: cubes as `to_source` gives them.
            index: of the slice.
        """
        along, rows, columns = self.interpolating
        used = np.flatnonzero(along[index])
        plane = np.tensordot(along[index, used], in_source_order[used], axes=1)
        return np.asarray(rows @ plane @ columns.T, np.float32)


def _averaging(cubes: int, voxels: int, spacing: float) -> Matrix:
    """Each cube is the mean of the voxels that it overlaps, by the length of the overlap."""
    low = np.arange(cubes)[:, np.newaxis] * CUBE_MM / spacing  # in voxels
    edges = np.arange(voxels)[np.newaxis]
    overlap = np.minimum(low + CUBE_MM / spacing, edges + 1) - np.maximum(low, edges)
    shares = np.clip(overlap, 0, None)
    return np.asarray(shares / shares.sum(axis=1, keepdims=True), np.float32)


def _interpolating(cubes: int, voxels: int, spacing: float) -> Matrix:
    """Each voxel lies between the centres of two cubes; at the ends the last one is repeated."""
    place = np.clip((np.arange(voxels) + 0.5) * spacing / CUBE_MM - 0.5, 0, cubes - 1)
    below = np.minimum(place.astype(int), max(cubes - 2, 0))
    shares = np.zeros((voxels, cubes), np.float32)
    share = (place - below).astype(np.float32)
    shares[np.arange(voxels), below] += 1 - share
    if cubes > 1:
        shares[np.arange(voxels), below + 1] += share
    return shares
