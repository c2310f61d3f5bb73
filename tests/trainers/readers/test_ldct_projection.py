from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.trainers.readers.dose_pairs import pair
from trainers.readers.ldct_projection import describe, read_ldct_projection


def test_the_low_dose_collection_leaves_patients_without_a_pair_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pair(tmp_path / "L004" / "study")
    pair(tmp_path / "C001" / "study")
    pair(tmp_path / "N012" / "study")
    shutil.rmtree(tmp_path / "N012" / "study" / "low")
    found = list(read_ldct_projection(tmp_path))
    assert [series.patient for series in found] == ["C001", "L004"]
    assert all(series.low is not None for series in found)
    assert "N012 has no pair" in caplog.text


def test_a_series_is_known_by_folder_or_description(tmp_path: Path) -> None:
    pair(tmp_path)
    assert "full dose images" in describe(tmp_path / "full")
    (tmp_path / "low").rename(tmp_path / "1.000000-Low Dose Images-39882")
    assert describe(tmp_path / "1.000000-Low Dose Images-39882").count("low dose images") == 2
