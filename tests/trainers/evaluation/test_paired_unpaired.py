from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dicom_profiles.volume import Volume
from tests.trainers.metrics.samples import textured
from trainers.evaluation.case import OURS, Case, Evaluation, View
from trainers.evaluation.measures import compared
from trainers.evaluation.paired_unpaired import evaluation_of, main, parser, run
from trainers.metrics.intensity import mae
from trainers.metrics.measurement import ALL_HU, EVERY_VOXEL


def case(patient: int) -> Case:
    """Six textured slices; the input has more noise in later patients."""
    images = textured(6, 96, patient, 0.02).astype(np.float32)
    truth = Volume(images, np.eye(4), "1")
    noise = np.random.default_rng(patient).normal(0, 0.03 * (1 + patient), images.shape)
    noisy = replace(truth, voxels=(images + noise).astype(np.float32))
    return Case(f"P{patient}", "a", {"CT": noisy}, truth, {"all": EVERY_VOXEL})


def mixture(share: float) -> object:
    """So much of the noise is taken away."""
    return lambda one: (1 - share) * one.inputs["CT"].voxels + share * one.truth.voxels


STUDY = Evaluation(
    pipeline="ldct_denoise",
    title="A study",
    cases=lambda place, options: [case(patient) for patient in range(int(place))],
    methods=lambda options: {"input": mixture(0), OURS: mixture(0.7)},  # type: ignore[dict-item]
    measures=(compared(mae, ALL_HU, "lower"),),
    view=View(0, 1, 0.5),
)


def test_the_study_writes_page_and_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "study"
    given = ["ldct_denoise", "--data", "5", "--block", "3", "--blend", "0.3", "--out", str(out)]
    run(STUDY, parser(STUDY).parse_args(given))
    whole = json.loads(out.with_suffix(".json").read_text())
    assert len(whole["observations"]) == 5 * 2 * 3  # patients, blocks, methods
    assert whole["data_range"] == [0, 1, "1"]
    assert {row["patient"] for row in whole["observations"]} == {f"P{i}" for i in range(5)}
    found = {(c["paired"], c["unpaired"]): c["spearman"] for c in whole["study"]["correlations"]}
    assert found["PSNR", "noise level"] < -0.9  # noise is all that is wrong here
    page = out.with_suffix(".html").read_text()
    assert page.count("data:image/svg+xml") == 3 + 7
    assert "http" not in page
    assert str(tmp_path) not in page
    assert "30 observations" in capsys.readouterr().out


def test_names_without_an_evaluation_are_sentences(capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluation_of("ldct_denoise").pipeline == "ldct_denoise"
    for name in ("nothing", "phantom"):
        assert main([name, "--data", "x", "--out", "y"]) == 1
        assert f"got '{name}'" in capsys.readouterr().err
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
