"""A low-dose and a full-dose series of one phantom, for the tests of readers of pairs."""

from __future__ import annotations

from pathlib import Path

from tests.synthetic import write_ct_series


def pair(root: Path, *, low_slices: int = 4) -> None:
    """Write `full` and `low` below a folder, on one grid when they have as many slices."""
    write_ct_series(root / "full", slices=4, seed=1, series_description="Full Dose Images")
    write_ct_series(root / "low", slices=low_slices, seed=2, series_description="Low Dose Images")
