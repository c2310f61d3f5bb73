from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dicom_profiles.deidentification.data_set import DataSetError
from tests.trainers.readers.gathered import gathered
from trainers.readers.data_set import read_ct_side, read_side, side_of, with_data


def test_a_side_gives_its_own_patients_as_series(tmp_path: Path) -> None:
    data_set = gathered(tmp_path / "set", ("train", "validation", "train"))
    found = read_ct_side(f"set:{tmp_path / 'set'}:train")
    assert {series.patient for series in found} == {s.patient for s in data_set.of("train")}
    assert len({series.name for series in found}) == 2
    assert all(series.slices.shape == (4, 96, 96) for series in found)
    assert found[0].slice_thickness_mm == 3.0
    assert read_ct_side(f"set:{tmp_path / 'set'}:test") == []


@pytest.mark.parametrize("change", ["pixels", "another file", "gone"])
def test_images_that_are_not_those_that_were_gathered_are_refused(
    tmp_path: Path, change: str
) -> None:
    data_set = gathered(tmp_path / "set", ("train", "validation", "train"))
    for one in data_set.of("train"):
        folder = tmp_path / "set" / one.folder
        path = min(folder.iterdir())
        if change == "pixels":
            path.write_bytes(path.read_bytes()[:-1] + b"?")
        elif change == "another file":
            (folder / "other.dcm").write_bytes(path.read_bytes())
        else:
            shutil.rmtree(folder)
    with pytest.raises(DataSetError, match=r"2 of 2 series .* train .* gather .* again"):
        read_ct_side(f"set:{tmp_path / 'set'}:train")
    assert len(read_ct_side(f"set:{tmp_path / 'set'}:validation")) == 1
    assert len(side_of(f"set:{tmp_path / 'set'}:train").series("CT")) == 2  # names alone


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


@pytest.mark.parametrize("source", ["set:{}:tset", "set:{}"])
def test_a_side_that_there_is_not_is_a_sentence(tmp_path: Path, source: str) -> None:
    gathered(tmp_path / "set", ("train",))
    with pytest.raises(DataSetError, match="one of train, validation, test"):
        read_side(source.format(tmp_path / "set"))


def test_a_set_without_anybody_to_train_on_is_a_sentence(tmp_path: Path) -> None:
    gathered(tmp_path / "set", ("test", "validation"))
    with pytest.raises(DataSetError, match="gather more patients"):
        with_data([], [], [tmp_path / "set"])
