"""A gathered data set as a source is in `test_gathered_sources.py`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trainers.ct_pet.bank import kept, read_bank
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
    weighted = read_bank(["1=simulated:0+4", "3=simulated:4+2"], tmp_path)
    np.testing.assert_allclose(weighted.shares, [1 / 16] * 4 + [3 / 8] * 2)


def test_patients_are_left_out(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    bank = read_bank(["simulated:3"], tmp_path, leave_out=["body_0001"])
    assert [one.patient for one in bank.pairs] == ["body_0000", "body_0002"]
    np.testing.assert_allclose(bank.shares, [0.5, 0.5])
    assert [one.patient for one in bank.left_out] == ["body_0001"]


@pytest.mark.parametrize("source", ["nowhere", "3=nowhere:x", "sts:"])
def test_a_source_of_no_kind_is_refused(source: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="one of sts, autopet, simulated, set"):
        read_bank([source], tmp_path)


@pytest.mark.parametrize("weight", ["often", "0", "-1", "nan"])
def test_a_weight_that_is_none_is_refused(weight: str, tmp_path: Path) -> None:
    """A negative one gave pairs that are drawn with a negative probability."""
    fill(tmp_path, 2)
    with pytest.raises(SourceError, match="A weight is a number above 0, as in 10=simulated:16"):
        read_bank([f"{weight}=simulated:2"], tmp_path)


@pytest.mark.parametrize("bodies", ["many", "0", "100+", "100+many", "first+2"])
def test_a_count_of_bodies_that_is_none_is_refused(bodies: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"as in simulated:16 or simulated:100\+8; got"):
        read_bank([f"simulated:{bodies}"], tmp_path)


def test_an_equals_sign_in_a_path_is_no_weight(tmp_path: Path) -> None:
    assert read_bank([f"sts:{tmp_path}/a=b"], tmp_path).pairs == ()
