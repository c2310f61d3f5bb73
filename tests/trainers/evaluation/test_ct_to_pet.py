from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dicom_profiles.volume import Volume
from tests.trainers.readers.gathered import gathered_ct_and_pet
from tests.trainers.test_ct_to_pet import kept_pairs
from trainers.ct_to_pet import main as train
from trainers.evaluation import ct_to_pet
from trainers.evaluation.case import OURS, Case, EvaluationError
from trainers.evaluation.ct_to_pet import (
    EVALUATION,
    TISSUE_SUV,
    body_of,
    by_run,
    by_tissue,
    case_of,
    cases,
    medians,
    methods,
    on_grid,
)
from trainers.readers.ct_pet import CtPetPair


def affine(step: float, at: float = 0.0) -> np.ndarray:
    made = np.zeros((4, 4))
    made[2, 0] = made[1, 1] = made[0, 2] = step
    made[:3, 3] = at
    made[3, 3] = 1
    return made


def pair() -> CtPetPair:
    """Fat below, muscle above; a PET of voxels twice as wide whose uptake is that of its tissue."""
    hu = np.full((16, 24, 24), -1000.0, np.float32)
    hu[:8, 4:20, 4:20] = -100
    hu[8:, 4:20, 4:20] = 50
    hu[4, 10:14, 10:14] = -1000  # gas inside
    hu[0, 0, 0] = 900  # a part of the table
    suv = np.where(hu[::2, ::2, ::2] > -500, 1.0, 0.0).astype(np.float32)
    suv[4:] *= 3
    lesion = np.zeros(suv.shape, np.float32)
    lesion[6, 4:6, 4:6] = 1
    wide = affine(4.0, 1.0)
    return CtPetPair(
        "A", Volume(hu, affine(2.0), "HU"), Volume(suv, wide, "SUVbw"), Volume(lesion, wide, "1")
    )


def made_case(one: CtPetPair | None = None) -> Case:
    one = one or pair()
    districts = np.where(np.arange(16)[:, None, None] < 8, 1, 2) * np.ones(one.ct.voxels.shape, int)
    return case_of(one, "real", "some data", districts)


def test_body_is_the_largest_part_filled() -> None:
    body = body_of(pair().ct.voxels)
    assert body[4, 12, 12], "gas inside"
    assert not body[0, 0, 0], "the table"
    assert body.sum() == 16 * 16 * 16


def test_truth_is_on_the_grid_of_the_ct() -> None:
    one = made_case()
    assert one.truth.voxels.shape == one.inputs["CT"].voxels.shape
    assert one.truth.voxels[3, 6, 6] == pytest.approx(1)
    assert one.truth.voxels[12, 6, 6] == pytest.approx(3)
    same = pair().ct
    assert on_grid(same, same, order=1) is same.voxels


def test_masks_are_body_districts_and_what_is_no_lesion() -> None:
    one = made_case()
    assert set(one.masks) == {"body", "legs", "trunk", "without lesions"}
    inside = {name: mask.inside(one.truth.voxels) for name, mask in one.masks.items()}
    assert np.array_equal(inside["body"], inside["legs"] | inside["trunk"])
    lesion = one.lesions["outlined"].inside(one.truth.voxels)
    assert lesion.any()
    assert np.array_equal(inside["without lesions"], inside["body"] & ~lesion)
    assert not made_case(replace(pair(), lesions=None)).lesions


def test_trivial_predictor_says_each_tissues_median_in_the_body() -> None:
    one = made_case()
    said = by_tissue(one)
    air, fat, soft, _ = TISSUE_SUV["real"]
    assert said[3, 5, 5] == pytest.approx(fat)
    assert said[12, 5, 5] == pytest.approx(soft)
    assert said[4, 12, 12] == pytest.approx(air)
    assert said[0, 0, 0] == 0


def test_medians_are_of_the_truth_in_each_tissue() -> None:
    with np.errstate(invalid="ignore"), pytest.warns(RuntimeWarning):
        found = medians(iter([pair(), pair()]))  # there is no bone in it
    assert found[1:3] == (1.0, 3.0)


def test_places(tmp_path: Path) -> None:
    options = argparse.Namespace()
    (simulated,) = cases("simulated:6+1", options)
    assert (simulated.patient, simulated.group) == ("body_0006", "simulated")
    assert set(simulated.masks) >= {"body"}
    assert list(cases(f"sts:{tmp_path}", options)) == []


def test_a_side_of_a_gathered_data_set_is_a_place(tmp_path: Path) -> None:
    gathered_ct_and_pet(tmp_path, "test")
    (found,) = cases(f"set:{tmp_path}:test", argparse.Namespace())
    assert (found.patient, found.group) == ("P1", "real")
    assert found.name.startswith("P1-"), "another study of the patient is another case"
    assert list(cases(f"set:{tmp_path}:train", argparse.Namespace())) == []


def test_ours_is_measured_beside_rivals(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Mapping[str, object]] = {}
    monkeypatch.setattr(ct_to_pet, "served", lambda name, **how: asked.setdefault(str(how), how))
    found = methods(argparse.Namespace(run=[]))
    assert next(iter(found)) == "median SUV of each tissue"
    assert OURS in found
    assert asked[str({"parameters": {"district_share": 0.0}})]
    assert EVALUATION.measures[0].label == "MAE"


@pytest.mark.parametrize("method", ["residual_unet", "pix2pix"])
def test_a_run_is_measured_on_the_grid_of_the_ct(tmp_path: Path, method: str) -> None:
    bank, run = tmp_path / "bank", tmp_path / "run"
    kept_pairs(bank)
    train(["--train", "simulated:2", "--out", str(run), "--bank", str(bank), "--steps", "1",
           "--batch", "2", "--device", "cpu", "--method", method, "--patch", "32",
           "--widths", "4,4", "--width", "2"])  # fmt: skip
    one = made_case()
    made = by_run(run)(one)
    assert made.shape == one.truth.voxels.shape
    assert made.min() >= 0
    assert made[one.masks["body"].inside(made)].max() > 0


@pytest.mark.parametrize("place", ["/data/ct", "sts:", "simulated:8", "simulated:x+8"])
def test_a_place_of_no_kind_is_a_sentence(place: str) -> None:
    with pytest.raises(EvaluationError, match="got "):
        list(cases(place, argparse.Namespace()))
