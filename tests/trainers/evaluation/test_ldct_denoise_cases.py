from __future__ import annotations

import json
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.trainers.phantom_series import phantom_series, write_nifti
from tests.trainers.readers.gathered import gathered
from trainers.evaluation.ldct_denoise import main
from trainers.evaluation.ldct_denoise_cases import _case, cases, every_series, stack_noise
from trainers.readers.series import TrainingSeries
from trainers.simulation.low_dose import Kernel, Scanner
from trainers.simulation.projection import ParallelBeam

OPTIONS = Namespace(doses=[0.1, 0.5], slices=3, seed=1)


def test_each_dose_is_a_case_with_more_noise_at_less_dose(tmp_path: Path) -> None:
    place = f"disk={write_nifti(phantom_series(6), tmp_path)}"
    low, half = cases(place, OPTIONS)
    assert (low.patient, low.group, half.group) == (
        "disk",
        "10% dose, simulated",
        "50% dose, simulated",
    )
    assert low.truth.voxels.shape == (3, 96, 96)
    noise = [
        float(np.std((case.inputs["CT"].voxels - case.truth.voxels)[case.masks["body"].voxels]))
        for case in (low, half)
    ]
    assert noise[0] > 2 * noise[1] > 0


def test_a_side_of_a_gathered_data_set_is_a_place(tmp_path: Path) -> None:
    made = gathered(tmp_path / "set", ("train", "test", "test"))
    found = every_series(f"set:{tmp_path / 'set'}:test")
    assert {series.patient for series in found} == {one.patient for one in made.of("test", "CT")}


def test_no_two_series_of_a_patient_are_one_case() -> None:
    """Outputs that are kept are named after patient and case."""
    named = [replace(phantom_series(3, name=name), patient="P1") for name in ("P1-a", "P1-b")]
    names = {_case(one, one.slices, one.slices, "real low dose").name for one in named}
    assert len(names) == 2


def test_noise_of_overlapping_slices_is_shared() -> None:
    scanner = Scanner(ParallelBeam(96, 2.0, 90), Kernel(0.15), 1e5)
    full = phantom_series(1).slices
    stack = np.repeat(full, 12, axis=0)
    series = TrainingSeries("a", "a", stack, 2.0, 1.0, slice_thickness_mm=2.0)
    noise = stack_noise(scanner, series, stack, 0.1, np.random.default_rng(0))
    inside = np.s_[:, 36:60, 36:60]
    flat = noise[inside].reshape(12, -1)
    apart = [
        float(np.mean([np.corrcoef(flat[i], flat[i + k])[0, 1] for i in range(9)])) for k in (1, 2)
    ]
    assert apart[0] == pytest.approx(0.5, abs=0.08)
    assert apart[1] == pytest.approx(0, abs=0.08)


def test_the_one_command_measures_low_dose_too(tmp_path: Path) -> None:
    scan = write_nifti(phantom_series(4), tmp_path)
    out = tmp_path / "low"
    given = ["--data", f"disk={scan}", "--doses", "0.1", "--slices", "3", "--out", str(out)]
    assert main(given) == 0
    whole = json.loads(out.with_suffix(".json").read_text())
    means = {
        line["method"]: line["mean"]
        for line in whole["summary"]
        if (line["region"], line["measure"]) == ("body", "RMSE")
    }
    assert list(means)[-1] == "ours"
    assert means["ours"] < 0.85 * means["input"]
