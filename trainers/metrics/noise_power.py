"""Noise power spectrum (ICRU 54): how noise is spread over spatial frequencies."""

from __future__ import annotations

import math

import numpy as np

from trainers.metrics.measurement import Array, Floats, MetricError
from trainers.metrics.spectrum import Spectrum, radial_average


def noise_power_2d(regions: Array, spacing_mm: tuple[float, float]) -> Floats:
    """Power (rows, columns) in unit^2 mm^2, zero frequency first, averaged over `regions`.

    Each region's plane of best fit is taken out, so that slow trends are not counted as noise.

    Args:
        regions: (n, rows, columns) cut from uniform parts, or differences of repeated scans
            divided by the root of 2.
        spacing_mm: between rows and between columns.
    """
    values = np.asarray(regions, dtype=np.float64)
    if values.ndim != 3 or min(values.shape[1:]) < 8:
        raise MetricError(
            f"Regions (n, rows, columns) of at least 8 x 8 pixels are wanted, got {values.shape}."
        )
    rows, columns = values.shape[1:]
    power = (np.abs(np.fft.fft2(values - _planes(values))) ** 2).mean(0)
    return np.asarray(power * spacing_mm[0] * spacing_mm[1] / (rows * columns), dtype=np.float64)


def _planes(regions: Floats) -> Floats:
    """The plane of best fit of each region, same shape."""
    n, rows, columns = regions.shape
    down, right = np.mgrid[:rows, :columns]
    design = np.column_stack([np.ones(rows * columns), down.ravel(), right.ravel()])
    weights, *_ = np.linalg.lstsq(design, regions.reshape(n, -1).T, rcond=None)
    return np.asarray((design @ weights).T.reshape(regions.shape), dtype=np.float64)


def noise_power_spectrum(regions: Array, spacing_mm: float, unit: str = "HU") -> Spectrum:
    """Radially averaged noise power of `regions` (n, rows, columns) with square pixels."""
    power = noise_power_2d(regions, (spacing_mm, spacing_mm))
    frequency, ring_power = radial_average(power, spacing_mm)
    return Spectrum(frequency, "1/mm", ring_power, f"{unit}^2 mm^2", len(regions))


def noise_deviation(power: Floats, spacing_mm: tuple[float, float]) -> float:
    """Standard deviation that a spectrum from `noise_power_2d` stands for: root of its integral."""
    rows, columns = power.shape
    step = 1 / (rows * spacing_mm[0] * columns * spacing_mm[1])
    return math.sqrt(float(power.sum() * step))


def mean_frequency(spectrum: Spectrum) -> float:
    """Frequency weighted by power: falls when a filter blurs, keeps when it only quietens."""
    return float((spectrum.frequency * spectrum.power).sum() / spectrum.power.sum())
