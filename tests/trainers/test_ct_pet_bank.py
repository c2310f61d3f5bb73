"""A gathered data set as a source is in `test_gathered_sources.py`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trainers.ct_pet_bank import kept, read_bank
from trainers.readers.ct_pet import CubePair
from trainers.training.errors import SourceError


def pair(patient: str) -> CubePair:
    cubes = np.zeros((2, 2, 2), np.float32)
    body = np.ones((2, 2, 2), np.bool_)
    return CubePair(patient, np.stack([cubes] * 3), cubes + 1.5, body, ~body, body.astype(np.uint8))


def fill(folder: Path, count: int) -> None:
    for index in range(count):
        name = f"body_{index:04d}"
        kept(folder / f"{name}.npz", name, lambda name=name: pair(name))  # type: ignore[misc]


def test_a_pair_is_made_once(tmp_path: Path) -> None:
    path, made = tmp_path / "bank" / "a.npz", []
    for _ in range(2):
        found = kept(path, "a", lambda: made.append("a") or pair("a"))  # type: ignore[func-returns-value]
        assert found.patient == "a"
        np.testing.assert_array_equal(found.suv, np.full((2, 2, 2), 1.5))
    assert made == ["a"]
    assert list(path.parent.iterdir()) == [path]  # nothing half is left


def test_a_source_is_drawn_by_its_size_unless_it_has_a_weight(tmp_path: Path) -> None:
    fill(tmp_path, 6)
    by_size = read_bank(["simulated:4", "simulated:4+2"], tmp_path)
    assert [one.patient[-1] for one in by_size.pairs] == list("012345")
    np.testing.assert_allclose(by_size.shares, [1 / 6] * 6)
    weighted = read_bank(["1=simulated:4", "3=simulated:4+2"], tmp_path)
    np.testing.assert_allclose(weighted.shares, [1 / 16] * 4 + [3 / 8] * 2)


def test_patients_are_left_out(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    bank = read_bank(["simulated:3"], tmp_path, leave_out=["body_0001"])
    assert [one.patient for one in bank.pairs] == ["body_0000", "body_0002"]
    np.testing.assert_allclose(bank.shares, [0.5, 0.5])


@pytest.mark.parametrize("source", ["nowhere", "3=nowhere:x", "sts:"])
def test_a_source_of_no_kind_is_refused(source: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="one of sts, autopet, simulated, set"):
        read_bank([source], tmp_path)
