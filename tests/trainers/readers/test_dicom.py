from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.synthetic import write_ct_series
from tests.trainers.readers.dose_pairs import pair
from trainers.readers.dicom import PairError, read_dicom, read_dicom_pair
from trainers.readers.series import LOWEST_HU
from trainers.training.errors import SourceError


def test_a_folder_of_dicom(tmp_path: Path) -> None:
    write_ct_series(tmp_path / "one", slices=5, rows=40, columns=48, spacing=(2.0, 0.9, 0.9))
    series = read_dicom(tmp_path / "one", "patient 7")
    assert series.slices.shape == (5, 40, 48)
    assert (series.name, series.patient) == ("one", "patient 7")
    assert series.pixel_spacing_mm == pytest.approx(0.9)
    assert series.slice_spacing_mm == pytest.approx(2.0)
    assert series.slices.min() >= LOWEST_HU


def test_a_pair_holds_both_doses(tmp_path: Path) -> None:
    pair(tmp_path)
    series = read_dicom_pair(tmp_path / "low", tmp_path / "full")
    assert series.low is not None
    np.testing.assert_array_equal(series.slices, read_dicom(tmp_path / "full").slices)
    np.testing.assert_array_equal(series.low, read_dicom(tmp_path / "low").slices)


def test_a_pair_on_two_grids_is_refused(tmp_path: Path) -> None:
    pair(tmp_path, low_slices=5)
    with pytest.raises(PairError, match="one grid"):
        read_dicom_pair(tmp_path / "low", tmp_path / "full")


def test_a_folder_that_is_not_there_is_called_so(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="nowhere does not exist"):
        read_dicom(tmp_path / "nowhere")


def test_a_folder_that_does_not_hold_one_series_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match=r"empty cannot be used\. One series is wanted, got 0"):
        read_dicom(tmp_path / "empty")
