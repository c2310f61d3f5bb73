from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from dicom_profiles.deidentification.data_set import (
    DataSet,
    DataSetError,
    KeptSeries,
    changed_series,
    digest_of,
    read_data_set,
    write_data_set,
)


def kept(patient: str, split: str, role: str, instances: int = 2) -> KeptSeries:
    series = f"2.25.{instances}"
    folder = f"{patient}/2.25.1/{series}/{role}"
    place = (patient, split, f"2.25.{patient}", series, role)
    return KeptSeries(*place, "CT", instances, "ab" * 32, folder)


SET = DataSet(
    "ct_to_pet",
    (
        kept("P1", "train", "CT"),
        kept("P1", "train", "PT", 3),
        kept("P1", "train", "CT", 5),
        kept("P2", "validation", "CT"),
    ),
    {"It is synthetic.": 1},
    "basic",
)


def test_it_comes_back(tmp_path: Path) -> None:
    write_data_set(SET, tmp_path)
    assert read_data_set(tmp_path) == SET
    assert [path.name for path in tmp_path.iterdir()] == ["dataset.json"]
    assert json.loads((tmp_path / "dataset.json").read_text())["counts"] == SET.counts()


def test_counts_sides_and_roles() -> None:
    assert SET.counts() == {
        "train": {"patients": 1, "series": 3, "instances": 10},
        "validation": {"patients": 1, "series": 1, "instances": 2},
    }
    assert [series.role for series in SET.of("train", "PT")] == ["PT"]
    (study,) = SET.studies("train")
    assert {role: one.instances for role, one in study.items()} == {"CT": 5, "PT": 3}


def test_it_grows_and_a_series_that_comes_again_replaces_itself() -> None:
    again, new = replace(SET.series[0], sha256="cd" * 32), kept("P3", "test", "CT")
    grown = SET.joined([again, new], {})
    assert len(grown.series) == 5
    assert again in grown.series
    assert SET.series[0] not in grown.series
    assert grown.sha256 != SET.sha256 == SET.joined([SET.series[1]], {}).sha256
    assert grown.left_out == {}


def test_a_patient_on_two_sides_is_refused(tmp_path: Path) -> None:
    write_data_set(SET.joined([kept("P1", "test", "CT", 9)], {}), tmp_path)
    with pytest.raises(DataSetError, match="two sides"):
        read_data_set(tmp_path)


@pytest.mark.parametrize("change", ["digest", "format", "field", "none"])
def test_a_set_that_is_not_whole_is_refused(tmp_path: Path, change: str) -> None:
    write_data_set(SET, tmp_path)
    path = tmp_path / "dataset.json"
    found = json.loads(path.read_text())
    if change == "digest":
        found["series"][0]["sha256"] = "00" * 32
    elif change == "format":
        found["format"] = "virtual-scanner-data-set/2"
    else:
        found["series"][0]["surprise"] = 1
    path.write_text(json.dumps(found))
    if change == "none":
        path.unlink()
    with pytest.raises(DataSetError, match=r"digest|is wanted in|/1 is wanted, got 'virtual.*/2'"):
        read_data_set(tmp_path)


def test_changed_files_are_found(tmp_path: Path) -> None:
    one = kept("P1", "train", "CT")
    folder = tmp_path / one.folder
    folder.mkdir(parents=True)
    for name in ("a.dcm", "b.dcm"):
        (folder / name).write_text(name)
    one = replace(one, sha256=digest_of(list(folder.iterdir())))
    assert changed_series([one], tmp_path) == []
    (folder / "b.dcm").write_text("other")
    assert changed_series([one], tmp_path) == [one.folder]
