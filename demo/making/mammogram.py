"""A simulated low-energy mammogram, as the trainers' simulator draws and wraps it."""

from __future__ import annotations

from pathlib import Path

from demo.making.marked import Sample, mark, save, uid
from trainers.simulation.mammogram_dicom import simulated_mammogram, wrap

SAMPLE = Sample(
    "low_energy_mammogram",
    "SIMULATED LOW ENERGY",
    3,
    "Contrast mammography (sample)",
    "Simulated by trainers.dual_energy; not acquired. For demonstration only.",
)


def make(_shared: Path) -> None:
    """Write the sample."""
    ds = wrap(*simulated_mammogram())
    mark(ds, SAMPLE)
    ds.SeriesInstanceUID = uid("mammogram series")
    ds.FrameOfReferenceUID = uid("mammogram frame of reference")
    save(SAMPLE, [ds])
