"""Find the scanner whose simulated full dose is as noisy as an acquired series really is.

Small flat tiles of soft tissue are compared with simulated noise at the very same places, frequency
by frequency: the shape of the ratio gives the kernel, its height the incident photons. Electronic
noise and starved rays do not scale with the photons as quantum noise does, so that the comparison
is repeated with what the last one found until it stands still.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trainers.errors import TrainersError
from trainers.simulation.low_dose import (
    ELECTRONIC_PHOTONS,
    Kernel,
    Scanner,
    Slice,
    inserted_noise,
    project,
    soft_tissue,
)
from trainers.simulation.projection import ParallelBeam

TILE = 16
"""Side of a tile, pixels; tiles overlap by half."""

FEWEST_TILES = 4
"""A slice with fewer flat tiles says nothing."""

RINGS = np.arange(2, TILE // 2 + 1)
"""Frequencies that are compared, in cycles a tile; below lies anatomy."""

FIRST_RING_WEIGHT = 0.3
"""The lowest ring still holds some anatomy."""

F50_PER_MM = np.geomspace(0.2, 1.2, 37)
POWERS = (1.5, 2.0, 2.5, 3.0)
"""Kernels that are tried."""

FIRST_PHOTONS = 1e6
ROUNDS = 4

Floats = npt.NDArray[np.float64]
Place = tuple[int, int]


class CalibrationError(TrainersError):
    """The series has no flat soft tissue in which noise could be measured."""


@dataclass(frozen=True)
class _Sample:
    """A slice, where it is flat, and its line integrals."""

    image: Slice
    places: list[Place]
    integrals: Floats


def calibrate(
    slices_hu: Slice,
    spacing_mm: float,
    views: int = 360,
    electronic: float = ELECTRONIC_PHOTONS,
) -> Scanner:
    """The scanner whose full dose has the noise power spectrum of the acquired slices.

    Args:
        slices_hu: (n, rows, columns), HU: a few slices of one series.
        spacing_mm: pixel spacing.
        views: number of views.
        electronic: electronic noise, in photons; what it is cannot be seen in one dose.

    Raises:
        CalibrationError: there is no flat soft tissue.
    """
    random = np.random.default_rng(0)
    beam = ParallelBeam(max(slices_hu.shape[1:]), spacing_mm, views)
    bare = Scanner(beam, Kernel(math.inf), electronic=electronic)
    samples = _samples(slices_hu, bare)
    acquired = _median_power([_tile_power(s.image, s.places) for s in samples])
    kernel, photons = bare.kernel, FIRST_PHOTONS
    for _ in range(ROUNDS):
        scanner = Scanner(beam, bare.kernel, photons, electronic)
        # at half the dose the inserted variance is that of the full dose: 1 / 0.5 - 1 = 1
        noise = [inserted_noise(scanner, s.image, 0.5, random, s.integrals) for s in samples]
        power = [_tile_power(n, s.places) for n, s in zip(noise, samples, strict=True)]
        kernel, height = _fit(np.log(acquired / _median_power(power)), spacing_mm)
        photons *= math.exp(-height)
    return Scanner(beam, kernel, photons, electronic)


def _samples(slices_hu: Slice, scanner: Scanner) -> list[_Sample]:
    found = [(image, flat_tiles(image)) for image in slices_hu]
    samples = [
        _Sample(image, places, project(scanner, image))
        for image, places in found
        if len(places) >= FEWEST_TILES
    ]
    if not samples:
        raise CalibrationError(
            f"Flat soft tissue ({FEWEST_TILES} tiles of {TILE} x {TILE} pixels in a slice) is "
            "wanted to measure noise, got none; leave the series out or give more of its slices."
        )
    return samples


def flat_tiles(image: Slice) -> list[Place]:
    """Upper left corners (row, column) of tiles that are flat soft tissue all over."""
    tissue = soft_tissue(image)
    rows, columns = (range(0, length - TILE + 1, TILE // 2) for length in image.shape)
    return [(r, c) for r in rows for c in columns if tissue[r : r + TILE, c : c + TILE].all()]


def _tile_power(image: Slice, places: Sequence[Place]) -> Floats:
    """(tiles, rings): radially averaged power of each tile, its curved trend taken out."""
    tiles = np.stack([image[r : r + TILE, c : c + TILE] for r, c in places]).astype(np.float64)
    flat = tiles.reshape(len(tiles), -1)
    down, right = (axis.ravel() for axis in np.mgrid[:TILE, :TILE])
    trend = np.column_stack([down**0, down, right, down**2, right**2, down * right])
    weights, *_ = np.linalg.lstsq(trend, flat.T, rcond=None)
    taper = np.hanning(TILE + 2)[1:-1]
    rest = (flat - (trend @ weights).T).reshape(tiles.shape) * np.outer(taper, taper)
    power = np.abs(np.fft.fft2(rest)) ** 2
    frequency = np.fft.fftfreq(TILE) * TILE
    ring = np.rint(np.hypot(frequency[:, None], frequency[None]))
    return np.stack([power[:, ring == r].mean(axis=1) for r in RINGS], axis=1)


def _median_power(parts: Sequence[Floats]) -> Floats:
    """(rings,): the median leaves out tiles with a vessel in them."""
    return np.asarray(np.median(np.concatenate(parts), axis=0))


def _fit(log_ratio: Floats, spacing_mm: float) -> tuple[Kernel, float]:
    """Kernel, and logarithm of the power at its plateau, that explain a ratio of spectra best."""
    frequency = RINGS / TILE / spacing_mm
    weight = np.ones(len(RINGS))
    weight[0] = FIRST_RING_WEIGHT
    best, least, height = Kernel(math.inf), math.inf, 0.0
    for kernel in (Kernel(float(f50), power) for f50 in F50_PER_MM for power in POWERS):
        rest = log_ratio - 2 * np.log(kernel(frequency))
        mean = float(np.average(rest, weights=weight))
        error = float(np.average((rest - mean) ** 2, weights=weight))
        if error < least:
            best, least, height = kernel, error, mean
    return best, height
