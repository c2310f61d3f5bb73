"""Every trainer reads a gathered data set; what it makes of the images is tested elsewhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dicom_profiles.deidentification.data_set import write_data_set
from tests.trainers.readers.gathered import gathered, gathered_ct_and_pet
from trainers.ct_pet.bank import read_bank
from trainers.mr_ct.sources import read_source


def test_mr_and_ct_of_a_study_are_read_by_their_roles(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    data_set = gathered(folder, ("train", "train", "validation"))
    first, second, _ = data_set.series
    same = replace(second, study_instance_uid=first.study_instance_uid, role="IP")
    other = replace(first, role="OOP", folder=second.folder, sha256=second.sha256)
    write_data_set(replace(data_set, series=(first, same, other)), folder)
    pair, ct = read_source(f"set:{folder}:train", 1)
    assert set(pair.mr) == {"IP", "OOP"}
    assert pair.ct is None
    assert pair.mr["IP"].shape == (4, 96, 96)
    assert ct.ct is not None
    assert ct.mr == {}
    assert ct.pixel_mm == pytest.approx(0.9375)
    assert list(read_source(f"set:{folder}:test", 1)) == []


def test_ct_and_pet_of_a_study_become_a_pair(tmp_path: Path) -> None:
    gathered_ct_and_pet(tmp_path, "train")
    bank = read_bank([f"set:{tmp_path}:train"], tmp_path / "bank")
    (pair,) = bank.pairs
    assert 4 < pair.suv.max() < 11.25  # a spot as large as a cube; the body is below 2
    assert list(bank.shares) == [1.0]
    assert read_bank([f"set:{tmp_path}:validation"], tmp_path / "bank").pairs == ()
