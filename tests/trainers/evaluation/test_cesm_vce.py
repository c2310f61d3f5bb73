from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import save_file

from pipelines import catalog
from tests.mammograms import breast
from tests.trainers.cesm.test_pairs import some_pairs
from tests.trainers.readers.gathered import gathered_mammograms
from trainers.cesm.generators import Size, facts_of, generator_of
from trainers.cesm.pairs import save
from trainers.evaluation.case import OURS, EvaluationError
from trainers.evaluation.cesm_vce import (
    DISPLAY,
    EVALUATION,
    by_run,
    case,
    cases,
    mean_image,
    mean_value_in_breast,
    methods,
    mse,
)
from trainers.evaluation.command import evaluate
from trainers.metrics.measurement import EVERY_VOXEL
from trainers.readers.cdd_cesm import MammogramPair
from trainers.training.errors import SourceError
from trainers.training.run import WEIGHTS


def pair(name: str = "P1_L_CC", side: str = "L") -> MammogramPair:
    low = breast(160, 96, side)
    lesions = np.zeros(low.shape, bool)
    lesions[60:70, 30:40] = True
    return MammogramPair(name, name.split("_")[0], low, low * 0.5, lesions)


def excerpt(folder: Path) -> Path:
    both = np.zeros((128, 160, 3), np.uint8)
    both[..., :80, 0] = both[..., 80:, 1] = (breast(128, 80) * 200).astype(np.uint8)
    for name in ("P1_L_CC", "P2_L_CC"):
        Image.fromarray(both).save(folder / f"{name}.png")
    return folder


def test_a_case_has_image_breast_and_findings() -> None:
    found = case(pair(), "real", "CDD-CESM")
    assert list(found.masks) == ["image", "breast", "breast beside findings"]
    assert found.whole == "image"
    breast_mask = found.masks["breast"].voxels
    assert breast_mask is not None
    assert (breast_mask[0] == (breast(160, 96) > 0)).mean() > 0.98
    assert list(found.lesions) == ["findings"]


def test_places_are_sources(tmp_path: Path) -> None:
    options = argparse.Namespace(seed=5)
    real = list(cases(f"excerpt:{excerpt(tmp_path)}", options))
    assert [(one.patient, one.group) for one in real] == [("P1", "real"), ("P2", "real")]
    (simulated,) = cases("simulated:1", options)
    (null,) = cases("null:1", options)
    assert simulated.group == "simulated"
    assert simulated.name == "simulated 5.0"
    assert null.group == "simulated, iodine independent"
    with pytest.raises(EvaluationError, match="simulated:, null:"):
        list(cases("dicom:/x", options))


def test_a_side_of_a_gathered_data_set_is_a_place(tmp_path: Path) -> None:
    gathered_mammograms(tmp_path, "test")
    (found,) = cases(f"set:{tmp_path}:test", argparse.Namespace(seed=5))
    assert (found.patient, found.group) == ("P1", "real")
    assert "CDD" not in found.data


@pytest.mark.parametrize("place", ["simulated:x", "null:0"])
def test_a_count_that_is_none_is_refused(place: str) -> None:
    with pytest.raises(SourceError, match="A whole number of 1 or more"):
        list(cases(place, argparse.Namespace(seed=5)))


def test_the_mean_image_is_laid_to_the_chest_wall() -> None:
    pairs = some_pairs()  # one left, one right breast
    for side in ("L", "R"):
        one = case(pair(side=side), "simulated", "x")
        mean = mean_image(pairs, one)
        assert mean.shape == one.truth.voxels.shape
        assert np.abs(mean - one.truth.voxels).mean() < 0.01


def test_the_mean_value_fills_the_breast() -> None:
    one = case(pair(), "simulated", "x")
    made = mean_value_in_breast(some_pairs(), one)
    inside = one.masks["breast"].inside(made)
    assert len(np.unique(made[inside])) == 1
    assert not made[~inside].any()


def test_mse_is_the_square() -> None:
    real, made = np.zeros((1, 9, 9)), np.full((1, 9, 9), 0.2)
    assert mse(real, made, DISPLAY, EVERY_VOXEL).value == pytest.approx(0.04)


def test_patients_are_measured_with_weights_that_do_not_know_them(tmp_path: Path) -> None:
    save(some_pairs(), tmp_path / "simulated_2_1.npz")
    fold = tmp_path / "fold.safetensors"
    fold.write_bytes(catalog.weights_path("cesm_vce").read_bytes())
    options = argparse.Namespace(
        run=[],
        fold=[f"P1={fold}"],
        mean_simulated="simulated:2",
        mean_real="simulated:2",
        kept=tmp_path,
    )
    one = case(pair(), "real", "CDD-CESM")
    found = methods(options)
    assert list(found)[-1] == OURS
    for method in found.values():
        assert method(one).shape == one.truth.voxels.shape


def test_a_run_gives_its_own_image(tmp_path: Path) -> None:
    size = Size(4, 64)
    save_file(
        generator_of("cyclegan", size).state_dict(), tmp_path / WEIGHTS, facts_of("cyclegan", size)
    )
    one = case(pair(), "simulated", "x")
    made = by_run(tmp_path)(one)
    assert made.shape == one.truth.voxels.shape
    inside = one.masks["breast"].inside(made)
    assert not made[~inside].any()
    assert made[inside].min() > 0  # a sigmoid


def test_the_command_writes_report_and_figures(tmp_path: Path) -> None:
    save(some_pairs(), tmp_path / "simulated_2_1.npz")
    kept = ["--kept", str(tmp_path), "--mean-simulated", "simulated:2"]
    place = f"excerpt:{excerpt(tmp_path)}"
    out = tmp_path / "out"
    kept += ["--mean-real", place]
    assert evaluate(EVALUATION, ["--data", place, "--out", str(out), *kept]) == 0
    written = json.loads(out.with_suffix(".json").read_text())
    labels = {one["measure"] for one in written["measurements"]}
    assert {"PSNR", "SSIM", "VIF", "MSE"} <= labels
    assert "<html" in out.with_suffix(".html").read_text()
