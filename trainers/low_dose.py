"""Low dose by simulation: the noise that a slice would have had, added to the slice as it is.

The acquired image is projected; Poisson and electronic noise of a lower dose is drawn for every
ray; the *noise alone* is reconstructed with the source's kernel and added. Anatomy, kernel and
geometry of the acquired image stay untouched, and so does its own noise: the pair (low, acquired)
differs by inserted noise only, as in the LDCT-and-Projection-data set.

`calibrate` makes the simulated full dose as noisy as the acquired image is, so that a dose
fraction means a fraction of *that* image's dose.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from trainers.projection import ParallelBeam

WATER_PER_MM = 0.0192
"""Linear attenuation of water at the mean energy of a 120 kV spectrum (about 70 keV), per mm."""

ELECTRONIC_PHOTONS = 8.0
"""Standard deviation of the electronic noise, in detected photons a ray."""

FEWEST_COUNTS = 1.0
"""A ray that measures less is taken as this: the logarithm needs something (photon starvation)."""

REFERENCE_PHOTONS = 1e5
"""Incident photons a ray from which `calibrate` starts."""

KERNELS_F50 = (0.28, 0.33, 0.38, 0.44, 0.5, 0.57, 0.65, 0.75)
"""Kernels tried when a source's is matched: cycles per mm at which the amplitude is one half."""

FINE_MM, COARSE_MM = 0.6, 1.8
"""Two high-pass scales whose ratio of noise tells a sharp kernel from a soft one."""

SOFT_TISSUE_HU = (-50.0, 130.0)
MAD_TO_SIGMA = 1.4826

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


def calibrate(slices_hu: Slice, spacing_mm: float, views: int = 360, seed: int = 0) -> Scanner:
    """The scanner whose full dose is as noisy, and as fine-grained, as the acquired slices are.

    Args:
        slices_hu: (n, rows, columns), HU: a few slices of one series.
        spacing_mm: pixel spacing.
        views: number of views.
        seed: of the simulated noise that is compared.
    """
    random = np.random.default_rng(seed)
    fine = np.median([noise_sigma(s, spacing_mm, FINE_MM) for s in slices_hu])
    coarse = np.median([noise_sigma(s, spacing_mm, COARSE_MM) for s in slices_hu])
    beam = ParallelBeam(max(slices_hu.shape[1:]), spacing_mm, views)
    middle = slices_hu[len(slices_hu) // 2]
    best, error, photons = Kernel(KERNELS_F50[0]), math.inf, REFERENCE_PHOTONS
    for kernel in map(Kernel, KERNELS_F50):
        scanner = Scanner(beam, kernel)
        noise = inserted_noise(
            scanner, middle, 0.5, random
        )  # at one half: the full dose's variance
        tissue = soft_tissue(middle)
        simulated = [_sigma(_high_pass(noise, spacing_mm, s)[tissue]) for s in (FINE_MM, COARSE_MM)]
        off = abs(math.log(simulated[0] / simulated[1] / (fine / coarse)))
        if off < error:
            best, error = kernel, off
            photons = REFERENCE_PHOTONS * float(simulated[1] / coarse) ** 2
    return Scanner(beam, best, photons)


def with_jitter(scanner: Scanner, random: np.random.Generator) -> Scanner:
    """The same scanner with another kernel of its kind, for training."""
    kernel = Kernel(
        scanner.kernel.f50 * float(random.uniform(0.85, 1.2)), float(random.uniform(1.5, 3.0))
    )
    return replace(scanner, kernel=kernel)


def noise_sigma(slice_hu: Slice, spacing_mm: float, scale_mm: float) -> float:
    """Robust standard deviation of the high-pass part in soft tissue, HU; NaN without any."""
    tissue = soft_tissue(slice_hu)
    return _sigma(_high_pass(slice_hu, spacing_mm, scale_mm)[tissue])


def soft_tissue(slice_hu: Slice) -> npt.NDArray[np.bool_]:
    """Where the smoothed slice is soft tissue and flat: (rows, columns)."""
    smooth = ndimage.gaussian_filter(slice_hu, 3.0)
    inside = (smooth > SOFT_TISSUE_HU[0]) & (smooth < SOFT_TISSUE_HU[1])
    slope = ndimage.gaussian_gradient_magnitude(slice_hu, 3.0)
    return np.asarray(ndimage.binary_erosion(inside, iterations=4) & (slope < 4.0))


def _high_pass(image: Slice, spacing_mm: float, scale_mm: float) -> Slice:
    smooth: Slice = ndimage.gaussian_filter(image, scale_mm / spacing_mm)
    return image - smooth


def _sigma(values: npt.NDArray[np.float32]) -> float:
    if values.size < 50:
        return math.nan
    return float(MAD_TO_SIGMA * np.median(np.abs(values - np.median(values))))


def square(image: Slice, size: int, fill: float = -1000.0) -> Slice:
    """Pad (rows, columns) on the right and below to (size, size)."""
    rows, columns = image.shape
    return np.pad(image, ((0, size - rows), (0, size - columns)), constant_values=fill)


def unsquare(image: Slice, shape: tuple[int, ...]) -> Slice:
    """Undo `square`."""
    return image[: shape[0], : shape[1]]
