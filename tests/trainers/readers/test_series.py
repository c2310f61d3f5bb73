from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.synthetic import write_ct_series
from trainers.readers.dicom import read_dicom
from trainers.readers.series import LOWEST_HU, TrainingSeries, cleaned


def test_thickness_tells_how_much_slices_share(tmp_path: Path) -> None:
    write_ct_series(tmp_path / "a", slices=4, spacing=(2.0, 1.0, 1.0), SliceThickness="4")
    overlapping = read_dicom(tmp_path / "a")
    assert overlapping.slice_thickness_mm == 4
    assert overlapping.shared_noise() == pytest.approx(0.5)
    assert overlapping.shared_noise(2) == 0
    write_ct_series(tmp_path / "b", slices=4, spacing=(2.0, 1.0, 1.0), SliceThickness=None)
    assert read_dicom(tmp_path / "b").shared_noise() == 0


@given(st.floats(0.2, 10.0), st.floats(0.2, 10.0), st.integers(1, 4))
def test_slices_share_noise_as_far_as_they_overlap(
    spacing: float, thickness: float, apart: int
) -> None:
    empty = np.zeros((1, 1, 1), np.float32)
    series = TrainingSeries("a", "a", empty, 1.0, spacing, slice_thickness_mm=thickness)
    overlap = max(0.0, thickness - apart * spacing)
    assert series.shared_noise(apart) == pytest.approx(overlap / thickness, abs=1e-9)


def test_what_lies_below_air_becomes_air() -> None:
    values = np.array([[[-3024.0, -1024.0, 40.0, 3071.0]]], np.float32)
    assert cleaned(values).tolist() == [[[LOWEST_HU, -1024.0, 40.0, 3071.0]]]
    assert cleaned(values).dtype == np.float32
