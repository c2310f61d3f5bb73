"""Measures of FDG uptake in right units: SUVmax, SUVmean, MTV in mL, TLG in g."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dicom_profiles.volume import Volume
from trainers.metrics.measurement import ALL_SUV, Mask, Measurement, MetricError

MM3_PER_ML = 1000.0


@dataclass(frozen=True)
class UptakeThreshold:
    """What counts as tumour: voxels at or above a threshold.

    Attributes:
        value: SUV, or a share of the largest SUV in the mask.
        relative: whether it is such a share.
    """

    value: float
    relative: bool = False

    def __post_init__(self) -> None:
        if self.value <= 0 or (self.relative and self.value > 1):
            raise MetricError(f"A threshold above 0, and a share up to 1, is wanted, got {self}.")

    def suv(self, largest: float) -> float:
        """The threshold as SUV, where `largest` is the largest in the mask."""
        return self.value * largest if self.relative else self.value


def uptake(volume: Volume, threshold: UptakeThreshold, mask: Mask) -> dict[str, Measurement]:
    """`SUVmax`, `SUVmean`, `MTV` and `TLG` of one lesion or region.

    MTV (metabolic tumour volume) is the volume at or above the threshold in mL; SUVmean is the
    mean there; TLG (total lesion glycolysis) is their product in g, as SUVbw is g/mL. SUVmean is
    NaN where nothing reaches the threshold.

    Args:
        volume: PET with unit SUVbw.
        threshold: which voxels of the mask are tumour.
        mask: the lesion or region.
    """
    if volume.unit != "SUVbw":
        raise MetricError(f"A volume in SUVbw is wanted, got {volume.unit!r}; convert it first.")
    values = volume.voxels[mask.inside(volume.voxels)].astype(np.float64)
    largest = float(values.max())
    limit = threshold.suv(largest)
    tumour = values[values >= limit]
    voxel_ml = abs(float(np.linalg.det(volume.affine[:3, :3]))) / MM3_PER_ML
    mean = float(tumour.mean()) if tumour.size else float("nan")
    found = (
        ("SUVmax", largest, "SUVbw", values.size),
        ("SUVmean", mean, "SUVbw", tumour.size),
        ("MTV", tumour.size * voxel_ml, "mL", tumour.size),
        ("TLG", float(tumour.sum()) * voxel_ml, "g", tumour.size),
    )
    settings = {"threshold_suv": limit, "relative": threshold.relative, "voxel_ml": voxel_ml}
    return {
        name: Measurement(name, value, unit, ALL_SUV, mask.description, n, settings=settings)
        for name, value, unit, n in found
    }
