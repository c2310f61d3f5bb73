"""Measures and quantities from the metrics, for the tables of an `Evaluation`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from dicom_profiles.volume import Volume
from trainers.evaluation.case import Case, Measure, Quantity, Voxels
from trainers.metrics.measurement import Array, DataRange, Mask, Measurement
from trainers.metrics.segmentation import dice
from trainers.metrics.uptake import UptakeThreshold, uptake

Metric = Callable[[Array, Array, DataRange, Mask], Measurement]
Finder = Callable[[npt.NDArray[Any]], npt.NDArray[np.bool_]]


def compared(
    metric: Metric,
    data_range: DataRange,
    better: Literal["lower", "higher"],
    label: str = "",
    regions: Literal["all", "whole"] = "all",
) -> Measure:
    """A measure from a metric of two images.

    Args:
        metric: `mae`, `psnr`, `ssim` ...
        data_range: the values that count.
        better: which values are better.
        label: names it; the metric's function name in capitals when left out.
        regions: `whole` for what has a meaning in the whole only.
    """

    def score(case: Case, output: Voxels, mask: Mask) -> Measurement:
        return metric(case.truth.voxels, output, data_range, mask)

    return Measure(label or getattr(metric, "__name__", "metric").upper(), score, better, regions)


def by_slice(metric: Metric) -> Metric:
    """A metric of two images as the mean over the slices of two volumes; empty slices left out.

    For SSIM of few or thick slices; its record counts slices.
    """

    def of_volume(real: Array, synthetic: Array, data_range: DataRange, mask: Mask) -> Measurement:
        inside = mask.inside(real)
        found = [
            metric(one, other, data_range, Mask(mask.description, part))
            for one, other, part in zip(real, synthetic, inside, strict=True)
            if part.any()
        ]
        mean = float(np.mean([measurement.value for measurement in found]))
        settings = {**found[0].settings, "mean": "over slices"}
        return replace(found[0], value=mean, n=len(found), settings=settings)

    of_volume.__name__ = getattr(metric, "__name__", "metric")
    return of_volume


def overlap(structure: str, find: Finder) -> Measure:
    """Dice of a structure that is found by its values, bone above 200 HU say, inside the whole.

    Args:
        structure: in words, with the limits: they go into the record.
        find: voxels to where the structure is.
    """

    def score(case: Case, output: Voxels, mask: Mask) -> Measurement:
        inside = mask.inside(case.truth.voxels)
        return dice(find(case.truth.voxels) & inside, find(output) & inside, structure)

    return Measure(f"Dice, {structure}", score, "higher", "whole")


def mean_value(unit: str) -> Quantity:
    """The mean of a region."""

    def value(volume: Volume, mask: Mask) -> float:
        return float(volume.voxels[mask.inside(volume.voxels)].mean(dtype=np.float64))

    return Quantity("mean", unit, value)


def uptake_values(threshold: UptakeThreshold) -> tuple[Quantity, ...]:
    """`SUVmax`, `SUVmean`, `MTV` and `TLG` of volumes in SUVbw; 0 or NaN where nothing reaches."""
    units = {"SUVmax": "SUVbw", "SUVmean": "SUVbw", "MTV": "mL", "TLG": "g"}
    return tuple(_uptake_value(name, unit, threshold) for name, unit in units.items())


def _uptake_value(name: str, unit: str, threshold: UptakeThreshold) -> Quantity:
    def value(volume: Volume, mask: Mask) -> float:
        return uptake(volume, threshold, mask)[name].value

    return Quantity(name, unit, value)
