"""Voxel-wise errors: MAE, RMSE, PSNR."""

from __future__ import annotations

import math

import numpy as np

from trainers.metrics.measurement import (
    Array,
    DataRange,
    Floats,
    Mask,
    Measurement,
    clipped_pair,
)


def _errors(real: Array, synthetic: Array, data_range: DataRange, mask: Mask) -> Floats:
    """Synthetic minus real of the voxels that count, clipped first: (n,)."""
    first, second = clipped_pair(real, synthetic, data_range)
    return (second - first)[mask.inside(first)]


def mae(real: Array, synthetic: Array, data_range: DataRange, mask: Mask) -> Measurement:
    """Mean absolute error, in the range's unit."""
    errors = _errors(real, synthetic, data_range, mask)
    value = float(np.abs(errors).mean())
    return Measurement("MAE", value, data_range.unit, data_range, mask.description, errors.size)


def rmse(real: Array, synthetic: Array, data_range: DataRange, mask: Mask) -> Measurement:
    """Root mean square error, in the range's unit."""
    errors = _errors(real, synthetic, data_range, mask)
    value = math.sqrt(float((errors**2).mean()))
    return Measurement("RMSE", value, data_range.unit, data_range, mask.description, errors.size)


def psnr(real: Array, synthetic: Array, data_range: DataRange, mask: Mask) -> Measurement:
    """Peak signal-to-noise ratio in dB; the peak is the range's extent. Infinite when equal."""
    errors = _errors(real, synthetic, data_range, mask)
    square = float((errors**2).mean())
    value = 20 * math.log10(data_range.extent) - 10 * math.log10(square) if square else math.inf
    return Measurement("PSNR", value, "dB", data_range, mask.description, errors.size)
