"""Low dose by simulation: the noise that a slice would have had, added to the slice as it is.

The acquired image is projected; Poisson and electronic noise of a lower dose is drawn for every
ray; the *noise alone* is reconstructed with the source's kernel and added. Anatomy, kernel and
geometry of the acquired image stay untouched, and so does its own noise: the pair (low, acquired)
differs by inserted noise only, as in the LDCT-and-Projection-data set.

`noise_calibration` makes the simulated full dose as noisy as the acquired image is, so that a dose
fraction means a fraction of *that* image's dose.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from trainers.simulation.projection import ParallelBeam

WATER_PER_MM = 0.0192
"""Linear attenuation of water at the mean energy of a 120 kV spectrum (about 70 keV), per mm."""

ELECTRONIC_PHOTONS = 8.0
"""Standard deviation of the electronic noise, in detected photons a ray."""

FEWEST_COUNTS = 1.0
"""A ray that measures less is taken as this: the logarithm needs something (photon starvation)."""

REFERENCE_PHOTONS = 1e5
"""Incident photons a ray of a scanner of which nothing is known."""

AIR_HU = -1000.0
SOFT_TISSUE_HU = (-50.0, 130.0)

Slice = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Kernel:
    """Reconstruction kernel beside the ramp: amplitude 2 ** -((f / f50) ** power).

    Attributes:
        f50: spatial frequency of half amplitude, cycles per mm.
        power: steepness of the fall.
    """

    f50: float
    power: float = 2.0

    def __call__(self, frequency: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Amplitude at `frequency` (cycles per mm)."""
        return np.asarray(np.exp2(-((frequency / self.f50) ** self.power)))


@dataclass(frozen=True)
class Scanner:
    """What the simulation assumes of the scanner that acquired a slice.

    Attributes:
        beam: geometry, on the slice's own grid made square.
        kernel: reconstruction kernel.
        photons: incident photons a ray at full dose.
        electronic: electronic noise, in photons.
    """

    beam: ParallelBeam
    kernel: Kernel
    photons: float = REFERENCE_PHOTONS
    electronic: float = ELECTRONIC_PHOTONS


def project(scanner: Scanner, slice_hu: Slice) -> npt.NDArray[np.float64]:
    """Line integrals of a slice: (rows, columns) HU to (views, bins)."""
    attenuation = np.clip(1.0 + square(slice_hu, scanner.beam.size) / 1000.0, 0.0, None)
    return np.clip(scanner.beam.project(attenuation.astype(np.float32) * WATER_PER_MM), 0.0, None)


def noise_of_dose(
    scanner: Scanner,
    integrals: npt.NDArray[np.float64],
    dose: float,
    random: np.random.Generator,
) -> npt.NDArray[np.float64]:
    """Noise to insert into line integrals so that they look like `dose` of the full dose.

    The draw has the variance of the low dose; what the acquired image already has (that of the full
    dose) is taken off by the factor sqrt(1 - dose).

    Args:
        scanner: photons and electronic noise.
        integrals: (views, bins), noise-free.
        dose: fraction of the full dose, in (0, 1).
        random: source of randomness.

    Returns:
        (views, bins), line integrals of noise alone.
    """
    expected = scanner.photons * dose * np.exp(-integrals)
    counts = random.poisson(expected) + random.normal(0.0, scanner.electronic, expected.shape)
    measured = -np.log(np.maximum(counts, FEWEST_COUNTS) / (scanner.photons * dose))
    return np.asarray((measured - integrals) * math.sqrt(1.0 - dose))


def inserted_noise(
    scanner: Scanner,
    slice_hu: Slice,
    dose: float,
    random: np.random.Generator,
    integrals: npt.NDArray[np.float64] | None = None,
) -> Slice:
    """Noise image of a dose fraction for one slice.

    Args:
        scanner: geometry, kernel, photons.
        slice_hu: (rows, columns), HU.
        dose: fraction of the acquired dose, in (0, 1).
        random: source of randomness.
        integrals: of the slice, when they are known already.

    Returns:
        (rows, columns) float32, HU; add it to the slice.
    """
    known = project(scanner, slice_hu) if integrals is None else integrals
    noise = noise_of_dose(scanner, known, dose, random)
    image = scanner.beam.reconstruct(noise, scanner.kernel) * (1000.0 / WATER_PER_MM)
    return unsquare(image, slice_hu.shape)


def with_jitter(scanner: Scanner, random: np.random.Generator) -> Scanner:
    """The same scanner with another kernel of its kind, for training."""
    kernel = Kernel(
        scanner.kernel.f50 * float(random.uniform(0.85, 1.2)), float(random.uniform(1.5, 3.0))
    )
    return replace(scanner, kernel=kernel)


def soft_tissue(slice_hu: Slice) -> npt.NDArray[np.bool_]:
    """Where the smoothed slice is soft tissue and flat: (rows, columns)."""
    smooth = ndimage.gaussian_filter(slice_hu, 3.0)
    inside = (smooth > SOFT_TISSUE_HU[0]) & (smooth < SOFT_TISSUE_HU[1])
    slope = ndimage.gaussian_gradient_magnitude(slice_hu, 3.0)
    return np.asarray(ndimage.binary_erosion(inside, iterations=4) & (slope < 4.0))


def square(image: Slice, size: int) -> Slice:
    """Pad (rows, columns), HU, with air on the right and below to (size, size)."""
    rows, columns = image.shape
    return np.pad(image, ((0, size - rows), (0, size - columns)), constant_values=AIR_HU)


def unsquare(image: Slice, shape: tuple[int, ...]) -> Slice:
    """Undo `square`."""
    return image[: shape[0], : shape[1]]
