"""A simulated whole body with known CT, known FDG uptake and known districts.

For what the real pairs lack: heads, arms, chests, and any place where the truth has to be known.
Organs are ellipsoids and tapering tubes; every assumption is a number of a table, here or in
`whole_body_anatomy.py`. No patient looks like this: what is trained on it says so.

`draw_body` decides everything random, the rest is arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from dicom_profiles.volume import Volume
from pipelines.ct_to_pet.districts import LABELS
from trainers.readers.ct_pet import CtPetPair
from trainers.simulation.whole_body_anatomy import TISSUES, Body, Tube, anatomy, ellipsoid

VOXEL_MM = (4.0, 2.0, 2.0)
"""Slices, rows, columns of the simulated CT; the PET's voxels are twice as wide in the slices."""

MARGIN_MM = 24.0
"""Air around the body."""

SOFT_HU = (-200.0, 150.0)
"""Lesions grow in soft tissue only."""

PET_FWHM_MM = (5.0, 7.5)
"""How sharp the PET is."""

CT_NOISE_HU = (6.0, 25.0)
PET_NOISE = (0.02, 0.08)
"""Standard deviation as a share of the uptake."""


COVERAGES: Mapping[str, tuple[float, float]] = {
    "whole": (0.0, 1.02),
    "skull base to thigh": (0.33, 0.93),
    "eyes to thigh": (0.36, 0.97),
    "head and neck": (0.78, 1.02),
    "legs": (0.0, 0.5),
}
"""Scan range to shares of the height."""


def draw_body(random: np.random.Generator, coverage: str = "") -> Body:
    """Decide a body.

    Args:
        random: source of everything random.
        coverage: a key of `COVERAGES`; drawn when empty.
    """
    height = float(np.clip(random.normal(1700, 85), 1450, 1950))
    names = tuple(COVERAGES)
    low, high = COVERAGES[coverage or names[random.integers(len(names))]]
    patient = float(np.exp(random.normal(0, 0.18)))
    uptake = {
        name: patient * float(np.exp(random.normal(0, tissue.spread)))
        for name, tissue in TISSUES.items()
    }
    lesions = tuple(
        (
            float(random.uniform(-150, 150)),
            float(random.uniform(-70, 70)),
            float(random.uniform(low, min(high, 0.97)) * height),
            float(random.uniform(8, 30)),
        )
        for _ in range(random.integers(0, 5))
    )
    return Body(
        height,
        float(random.uniform(0, 1)),
        str(random.choice(["down", "up", "away"])),
        (low * height, high * height),
        uptake,
        lesions,
        float(random.uniform(*PET_FWHM_MM)),
        float(random.uniform(*CT_NOISE_HU)),
        float(random.uniform(*PET_NOISE)),
        int(random.integers(2**31)),
    )


@dataclass(frozen=True, eq=False)
class SimulatedBody:
    """A pair whose truth is known.

    Attributes:
        pair: noisy CT, blurred and noisy SUV, lesions.
        districts: (slices, rows, columns) uint8 on the grid of the CT.
    """

    pair: CtPetPair
    districts: npt.NDArray[np.uint8]


def simulate(body: Body, name: str = "simulated") -> SimulatedBody:
    """CT, PET and districts of a body."""
    half_x, half_y = 0.14 * body.height + body.fat_mm, 0.07 * body.height + body.fat_mm
    if body.arms != "away":
        half_x += 75
    low, high = body.coverage
    size = (high - low, 2 * (half_y + MARGIN_MM), 2 * (half_x + MARGIN_MM))
    shape = tuple(int(length / voxel) for length, voxel in zip(size, VOXEL_MM, strict=True))
    affine = np.zeros((4, 4))
    affine[2, 0], affine[1, 1], affine[0, 2] = VOXEL_MM
    affine[:, 3] = (-half_x - MARGIN_MM, -half_y - MARGIN_MM, low, 1.0)
    truth = _Truth.of(body, shape, affine)
    wider = affine @ np.diag([1.0, 2.0, 2.0, 1.0])
    wider[:3, 3] += (affine[:3, 1] + affine[:3, 2]) / 2
    pair = CtPetPair(
        name,
        Volume(_scanned_ct(truth.hu, body), affine, "HU"),
        Volume(_scanned_pet(_halved(truth.suv), body), wider, "SUVbw"),
        Volume(truth.lesions, affine, "1"),
    )
    return SimulatedBody(pair, truth.districts)


@dataclass(frozen=True, eq=False)
class _Truth:
    """What is where, before any scanner has looked: (slices, rows, columns) each."""

    hu: npt.NDArray[np.float32]
    suv: npt.NDArray[np.float32]
    lesions: npt.NDArray[np.float32]
    districts: npt.NDArray[np.uint8]

    @classmethod
    def of(cls, body: Body, shape: tuple[int, ...], affine: npt.NDArray[np.float64]) -> _Truth:
        """Paint everything, from the outside in."""
        hu = np.full(shape, TISSUES["air"].hu, np.float32)
        suv, lesions = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        districts = np.zeros(shape, np.uint8)
        for tube in anatomy(body):
            for part in _drawn(tube, shape, affine):
                tissue = TISSUES[tube.tissue]
                if tube.district:
                    part(districts, LABELS[tube.district])
                part(hu, tissue.hu)
                part(suv, tissue.suv * body.uptake[tube.tissue])
        for x, y, z, radius in body.lesions:
            for part in _drawn(ellipsoid("lesion", (x, y, z), (radius,) * 3), shape, affine):
                part(lesions, 1.0)
        lesions *= (hu > SOFT_HU[0]) & (hu < SOFT_HU[1])
        hu[lesions > 0] = TISSUES["lesion"].hu
        suv[lesions > 0] = TISSUES["lesion"].suv * body.uptake["lesion"]
        return cls(hu, suv, lesions, districts)


Paint = Callable[[npt.NDArray[Any], float], None]


def _drawn(tube: Tube, shape: tuple[int, ...], affine: npt.NDArray[np.float64]) -> list[Paint]:
    """For every slice that a tube crosses, how to paint its ellipse into a volume."""
    step, origin = VOXEL_MM, affine[:3, 3]
    first = max(0, int(np.ceil((tube.z[0] - origin[2]) / step[0])))
    last = min(shape[0] - 1, int(np.floor((tube.z[1] - origin[2]) / step[0])))
    paints: list[Paint] = []
    for index in range(first, last + 1):
        x, y, rx, ry = tube.at(origin[2] + index * step[0])
        if min(rx, ry) <= 0:
            continue
        ys = origin[1] + np.arange(shape[1]) * step[1]
        xs = origin[0] + np.arange(shape[2]) * step[2]
        rows, columns = np.flatnonzero(abs(ys - y) <= ry), np.flatnonzero(abs(xs - x) <= rx)
        if rows.size and columns.size:
            box = (index, slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
            inside = ((ys[box[1], None] - y) / ry) ** 2 + ((xs[None, box[2]] - x) / rx) ** 2 <= 1
            paints.append(_painter(box, inside))
    return paints


def _painter(box: tuple[int, slice, slice], inside: npt.NDArray[np.bool_]) -> Paint:
    def paint(volume: npt.NDArray[Any], value: float) -> None:
        volume[box][inside] = value

    return paint


def _scanned_ct(hu: npt.NDArray[np.float32], body: Body) -> npt.NDArray[np.float32]:
    noise = np.random.default_rng([body.seed, 0]).standard_normal(hu.shape, np.float32)
    noise *= np.float32(body.ct_noise_hu)
    noise += hu
    return noise


def _scanned_pet(suv: npt.NDArray[np.float32], body: Body) -> npt.NDArray[np.float32]:
    """Blurred by the scanner, with noise of the same grain in proportion to the uptake."""
    random = np.random.default_rng([body.seed, 1])
    sigmas = [
        body.fwhm_mm / 2.355 / voxel for voxel in (VOXEL_MM[0], 2 * VOXEL_MM[1], 2 * VOXEL_MM[2])
    ]
    blurred = ndimage.gaussian_filter(suv, sigmas)
    noise = ndimage.gaussian_filter(random.standard_normal(suv.shape, np.float32), sigmas)
    grain = noise * (body.pet_noise / noise.std())
    return np.asarray(np.maximum(blurred * (1 + grain), 0), np.float32)


def _halved(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Mean of 2 x 2 voxels in every slice."""
    slices, rows, columns = values.shape
    even = values[:, : rows // 2 * 2, : columns // 2 * 2]
    return np.asarray(even.reshape(slices, rows // 2, 2, columns // 2, 2).mean(axis=(2, 4)))
