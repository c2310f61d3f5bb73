"""Volume: voxels with their unit and their place in the patient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dicom_profiles.errors import GeometryError

UNITS = ("HU", "SUVbw", "1")
"""Units a volume may have: CT numbers, body-weight SUV, or none (UCUM "1")."""


@dataclass(frozen=True)
class Volume:
    """A grid of values in the patient's frame.

    Attributes:
        voxels: (slices, rows, columns) float32, in `unit`.
        affine: (4, 4) float64; maps (slice, row, column, 1) to LPS millimetres.
        unit: one of `UNITS`.
        frame_of_reference: Frame of Reference UID, or "" when unknown.
    """

    voxels: npt.NDArray[np.float32]
    affine: npt.NDArray[np.float64]
    unit: str = "HU"
    frame_of_reference: str = ""

    def __post_init__(self) -> None:
        if self.voxels.ndim != 3:
            raise GeometryError(
                f"A volume needs voxels of shape (slices, rows, columns), got {self.voxels.shape}; "
                "add the missing axis."
            )
        if self.affine.shape != (4, 4):
            raise GeometryError(
                f"A volume needs an affine of shape (4, 4), got {self.affine.shape}."
            )
        if self.unit not in UNITS:
            raise GeometryError(f"A volume's unit is one of {', '.join(UNITS)}, got {self.unit!r}.")

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between neighbours along (slices, rows, columns), in mm."""
        lengths = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(lengths[0]), float(lengths[1]), float(lengths[2])
