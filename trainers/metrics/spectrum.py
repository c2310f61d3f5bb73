"""Spatial frequencies: radially averaged power spectra, their distance, correlation of spectra."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trainers.metrics.measurement import (
    DataRange,
    Floats,
    ImageSet,
    Measurement,
    MetricError,
    mask_of_both,
)


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Power by spatial frequency.

    Attributes:
        frequency: (n,) ascending.
        frequency_unit: "1/pixel" or "1/mm".
        power: (n,) mean power of each ring.
        power_unit: of the power.
        images: how many were averaged.
    """

    frequency: Floats
    frequency_unit: str
    power: Floats
    power_unit: str
    images: int


def radial_average(power: Floats, spacing: float = 1.0) -> tuple[Floats, Floats]:
    """Mean of `power` (rows, columns, zero frequency first) over rings of equal frequency.

    Args:
        power: power at every frequency, as `np.fft.fft2` orders them.
        spacing: pixel size; frequencies come in its inverse.

    Returns:
        Frequencies and mean powers of the rings, zero frequency left out, up to Nyquist's limit.
    """
    rows, columns = power.shape
    radius = np.hypot(
        np.fft.fftfreq(rows, spacing)[:, None], np.fft.fftfreq(columns, spacing)[None, :]
    )
    width = 1 / (spacing * min(rows, columns))
    ring = np.rint(radius / width).astype(int).ravel()
    counts = np.bincount(ring)
    sums = np.bincount(ring, weights=power.ravel())
    frequencies = np.bincount(ring, weights=radius.ravel())
    rings = slice(1, min(rows, columns) // 2 + 1)
    return frequencies[rings] / counts[rings], sums[rings] / counts[rings]


def power_spectrum(images: ImageSet, data_range: DataRange) -> Spectrum:
    """Radially averaged power spectrum (RAPS), averaged over the images.

    Outside the mask images are set to the range's low end. Power is |FFT|^2 / pixels of values
    scaled to [0, 1].
    """
    scaled = images.filled(data_range)
    if min(scaled.shape[1:]) < 4:
        raise MetricError(f"Images of at least 4 x 4 pixels are wanted, got {scaled.shape[1:]}.")
    power = (np.abs(np.fft.fft2(scaled)) ** 2).mean(0) / scaled[0].size
    frequency, ring_power = radial_average(power)
    return Spectrum(frequency, "1/pixel", ring_power, "1", len(scaled))


def raps_distance(real: ImageSet, synthetic: ImageSet, data_range: DataRange) -> Measurement:
    """Discrete Frechet distance between the log10 power curves of two sets of images; 0 if equal.

    Curves are points (frequency in 1/pixel, log10 power).
    """
    curves = [power_spectrum(images, data_range) for images in (real, synthetic)]
    points = [
        np.column_stack([curve.frequency, np.log10(np.maximum(curve.power, 1e-12))])
        for curve in curves
    ]
    value = discrete_frechet(*points)
    n = min(len(real), len(synthetic))
    return Measurement("RAPS distance", value, "1", data_range, mask_of_both(real, synthetic), n)


def discrete_frechet(first: Floats, second: Floats) -> float:
    """Discrete Frechet distance of two polylines (points, dimensions) (Eiter and Mannila 1994)."""
    steps = np.linalg.norm(first[:, None] - second[None, :], axis=2)
    reach = np.empty_like(steps)
    reach[0] = np.maximum.accumulate(steps[0])
    reach[:, 0] = np.maximum.accumulate(steps[:, 0])
    for i in range(1, steps.shape[0]):
        for j in range(1, steps.shape[1]):
            before = min(reach[i - 1, j], reach[i - 1, j - 1], reach[i, j - 1])
            reach[i, j] = max(before, steps[i, j])
    return float(reach[-1, -1])


def spectral_correlation(real: ImageSet, synthetic: ImageSet, data_range: DataRange) -> Measurement:
    """Mean Pearson correlation of log(1 + |FFT|) over all pairs (real, synthetic).

    1 for one image with itself. As in the MR-to-CT protocol, where it is divided by the value of
    two disjoint real sets; it tells little, as that paper found. Counts may differ.
    """
    tables = [standardised_spectra(images, data_range) for images in (real, synthetic)]
    value = float((tables[0] @ tables[1].T).mean())
    n = min(len(real), len(synthetic))
    mask = mask_of_both(real, synthetic)
    return Measurement("spectral correlation", value, "1", data_range, mask, n)


def standardised_spectra(images: ImageSet, data_range: DataRange) -> Floats:
    """Rows of unit length and mean 0: log(1 + |FFT|) of values scaled to 0..255, (n, pixels)."""
    scaled = 255 * images.filled(data_range)
    spectra: Floats = np.log1p(np.abs(np.fft.fft2(scaled))).reshape(len(images), -1)
    centred = spectra - spectra.mean(1, keepdims=True)
    return np.asarray(centred / np.linalg.norm(centred, axis=1, keepdims=True), dtype=np.float64)
