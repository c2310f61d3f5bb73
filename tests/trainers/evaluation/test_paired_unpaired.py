from __future__ import annotations

import json
import warnings
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from dicom_profiles.volume import Volume
from tests.trainers.metrics.samples import textured
from trainers.evaluation.case import OURS, Case, Evaluation, EvaluationError, Method, View
from trainers.evaluation.measures import compared
from trainers.evaluation.paired_unpaired import (
    evaluation_of,
    facts,
    main,
    networks_of,
    observations,
    parser,
    run,
    translated,
)
from trainers.evaluation.quality_scores import perceptual_distances
from trainers.metrics.intensity import mae
from trainers.metrics.measurement import ALL_HU, EVERY_VOXEL, DataRange


def case(patient: int) -> Case:
    """Six textured slices; the input has more noise in later patients."""
    images = textured(6, 96, patient, 0.02).astype(np.float32)
    truth = Volume(images, np.eye(4), "1")
    noise = np.random.default_rng(patient).normal(0, 0.03 * (1 + patient), images.shape)
    noisy = replace(truth, voxels=(images + noise).astype(np.float32))
    return Case(f"P{patient}", "a", {"CT": noisy}, truth, {"all": EVERY_VOXEL})


def mixture(share: float) -> Method:
    """So much of the noise is taken away."""
    return lambda one: (1 - share) * one.inputs["CT"].voxels + share * one.truth.voxels


STUDY = Evaluation(
    pipeline="ldct_denoise",
    title="A study",
    cases=lambda place, options: [case(patient) for patient in range(int(place))],
    methods=lambda options: {"input": mixture(0), OURS: mixture(0.7)},
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
    assert page.count("data:image/svg+xml") == 4 + 7
    assert "http" not in page
    assert str(tmp_path) not in page
    assert "30 observations" in capsys.readouterr().out


class Edges(nn.Module):
    """A site's network: 3-channel images (n, 3, rows, columns) to 4 maps, as VGG would give."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 4, 3, stride=2)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        maps: torch.Tensor = self.layer(image).abs()
        return maps


class Pooled(Edges):
    """The same as one vector an image (n, 4), as Inception would give."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return super().forward(image).mean((2, 3))


@pytest.fixture(scope="module")
def site_networks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two real TorchScript files."""
    folder = tmp_path_factory.mktemp("networks")
    torch.manual_seed(3)
    example = torch.zeros(2, 3, 96, 96)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # TorchScript is what sites have
        for name, network in (("edges.pt", Edges()), ("pooled.pt", Pooled())):
            torch.jit.trace(network.eval(), example).save(folder / name)
    return folder


def options_with(*extra: str) -> Namespace:
    """Four patients, one block each."""
    given = ["ldct_denoise", "--data", "4", "--block", "6", "--out", "x", *extra]
    return parser(STUDY).parse_args(given)


def scores_with(options: Namespace) -> list[Mapping[str, float]]:
    """The scores of every observation."""
    blocks, unit = translated(STUDY, options)
    table = observations(blocks, DataRange(0, 1, unit), networks_of(options), 0)
    return [row.scores for row in table]


def test_too_few_observations_are_told_before_they_are_scored(tmp_path: Path) -> None:
    given = ["ldct_denoise", "--data", "1", "--block", "6", "--out", str(tmp_path / "study")]
    with pytest.raises(EvaluationError, match=r"At least 20 observations are wanted .* got 2"):
        run(STUDY, parser(STUDY).parse_args(given))


def test_baselines_may_be_left_out(tmp_path: Path) -> None:
    """One that gives back the truth has no PSNR, which ends the study."""
    wide = replace(STUDY, methods=lambda options: {**STUDY.methods(options), "truth": mixture(1)})
    given = ["ldct_denoise", "--data", "1", "--block", "3", "--out", str(tmp_path / "study")]
    blocks, _ = translated(wide, parser(wide).parse_args([*given, "--methods", "input"]))
    assert [list(block.outputs) for block in blocks] == [["input", OURS]] * 2


def test_a_sites_networks_take_the_place_of_the_stand_ins(site_networks: Path) -> None:
    edges, pooled = site_networks / "edges.pt", site_networks / "pooled.pt"
    options = options_with("--features", f"pooled 1={pooled}", "--perceptual", str(edges))
    same: set[str] = set()
    other: set[str] = set()
    for own, default in zip(scores_with(options), scores_with(options_with()), strict=True):
        for name, value in own.items():
            (same if value == default[name] else other).add(name)
    assert {"filter bank, fine", "Fréchet, radiomic", "kernel, radiomic"} <= other
    assert {"filter bank, middle", "filter bank, coarse", "PSNR", "naturalness"} <= same - other
    written = facts(STUDY, options, DataRange(0, 1, "1"), networks_of(options))
    assert written["settings"]["features"] == "pooled 1"
    assert written["settings"]["networks"] == ["edges.pt"]
    assert str(site_networks) not in json.dumps(written)


def test_a_sites_perceptual_distance_is_that_of_its_network(site_networks: Path) -> None:
    options = options_with("--perceptual", str(site_networks / "edges.pt"))
    first, second = textured(2, 96, 1, 0.02), textured(2, 96, 2, 0.02)
    found = perceptual_distances(first, second, networks_of(options))[0]
    network = networks_of(options).perceptual[0]
    images = [torch.from_numpy(i.astype(np.float32))[:, None].repeat(1, 3, 1, 1)
              for i in (first, second)]  # fmt: skip
    with torch.inference_mode():
        wanted = (network(images[0]) - network(images[1])).abs().mean()
    assert found == pytest.approx(float(wanted), rel=1e-6)
    assert found > 0


def test_a_features_file_without_a_name_is_named_after_itself(site_networks: Path) -> None:
    options = options_with("--features", str(site_networks / "pooled.pt"))
    assert networks_of(options).features.name == "pooled.pt"


@pytest.mark.parametrize("option", ["--features", "--perceptual"])
def test_a_file_that_is_no_network_is_a_sentence(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.pt").write_text("no network")
    for name in ("notes.pt", "missing.pt"):
        given = ["ldct_denoise", "--data", "nowhere", "--out", str(tmp_path / "x")]
        assert main([*given, option, str(tmp_path / name)]) == 1
        error = capsys.readouterr().err
        assert name in error
        assert "TorchScript" in error


def test_names_without_an_evaluation_are_sentences(capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluation_of("ldct_denoise").pipeline == "ldct_denoise"
    for name in ("nothing", "phantom"):
        assert main([name, "--data", "x", "--out", "y"]) == 1
        assert f"got '{name}'" in capsys.readouterr().err
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
