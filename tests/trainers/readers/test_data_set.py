from __future__ import annotations

from pathlib import Path

import pytest

from dicom_profiles.data_set import DataSetError
from tests.trainers.readers.gathered import gathered
from trainers.readers.data_set import read_ct_side, read_side, with_data


def test_a_side_gives_its_own_patients_as_series(tmp_path: Path) -> None:
    data_set = gathered(tmp_path / "set", ("train", "validation", "train"))
    found = read_ct_side(f"set:{tmp_path / 'set'}:train")
    assert {series.patient for series in found} == {s.patient for s in data_set.of("train")}
    assert len({series.name for series in found}) == 2
    assert all(series.slices.shape == (4, 96, 96) for series in found)
    assert found[0].slice_thickness_mm == 3.0
    assert read_ct_side(f"set:{tmp_path / 'set'}:test") == []


def test_studies_with_every_role_are_found(tmp_path: Path) -> None:
    gathered(tmp_path / "set", ("train",))
    side = read_side(f"set:{tmp_path / 'set'}:train")
    assert [len(study) for study in side.studies("CT")] == [1]
    assert side.studies("CT", "PT") == []
    assert side.place(side.series("CT")[0]).is_dir()


def test_a_data_set_joins_the_sources_with_the_sides_that_it_has(tmp_path: Path) -> None:
    both, one = tmp_path / "a" / "both", tmp_path / "b" / "one"
    gathered(both, ("train", "validation"))
    gathered(one, ("train", "test"))
    train, validate = with_data(["a"], [], [both, one])
    assert train == ["a", f"set:{both}:train", f"set:{one}:train"]
    assert validate == [f"set:{both}:validation"]


def test_a_folder_without_a_set_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match="vscanner train NAME --from"):
        read_side(f"set:{tmp_path}:train")
