from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.trainers.evaluation.test_layers import trunk
from tests.trainers.phantom_series import write_nifti
from trainers.evaluation.layer_images import read_set
from trainers.evaluation.ten_layers import main
from trainers.readers.series import TrainingSeries


def series(folder: Path, name: str, seed: int, noise: float = 20) -> str:
    """A trunk of 30 slices with noise of its own as a NIfTI file."""
    images = trunk(24, 30) + np.random.default_rng(seed).normal(0, noise, (30, 48, 48))
    return str(
        write_nifti(TrainingSeries(name, name, images.astype(np.float32), 2, 25 / 3), folder)
    )


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The protocol on three real series, one alike and one much noisier."""
    folder = tmp_path_factory.mktemp("layers")
    real = [series(folder, f"real{i}", i) for i in range(3)]
    made = [f"alike={series(folder, 'a', 7)}", f"noisy={series(folder, 'n', 8, 80)}"]
    out = folder / "results" / "layers"
    arguments = ["--real", *real, "--synthetic", *made, "--size", "32", "--out", str(out)]
    assert main(arguments) == 0
    return out


def test_every_layer_has_model_baseline_and_ratio_with_spread(out: Path) -> None:
    whole = json.loads(out.with_suffix(".json").read_text())
    figures = [m for m in whole["measurements"] if m["name"] == "Fréchet distance"]
    assert {m["settings"]["layer"] for m in figures} == {*range(1, 11), "average"}
    assert {m["side"] for m in figures} == {"model", "baseline", "ratio"}
    assert all(m["n"] >= 3 and m["data_range"] == [-150, 250, "HU"] for m in figures)
    assert all(m["spread"] is not None and m["settings"]["repeats"] == 20 for m in figures)


def test_what_is_alike_scores_better_than_what_is_noisy(out: Path) -> None:
    whole = json.loads(out.with_suffix(".json").read_text())
    ratio = {
        m["model"]: m["value"]
        for m in whole["measurements"]
        if (m["name"], m["side"], m["settings"]["layer"]) == ("KL, 256 bins", "ratio", "average")
    }
    assert 0.7 < ratio["alike"] < 1.4
    assert ratio["noisy"] > 3


def test_the_page_needs_nothing_else(out: Path) -> None:
    page = out.with_suffix(".html").read_text()
    assert "http" not in page.replace("data:image", "")
    assert page.count("data:image/svg+xml") == 7
    assert "real0.nii.gz" in page
    assert "alike=a.nii.gz" in page
    assert str(out.parent) not in page


@pytest.mark.parametrize(
    ("extra", "sentence"),
    [
        (["--repeats", "5"], "At least 20 draws are wanted, got 5"),
        (["--synthetic", "place"], "MODEL=PLACE, got 'place'"),
        (["--synthetic", "=place"], "MODEL=PLACE, got '=place'"),
        (["--size", "0"], "At least 16 pixels a side are wanted, got 0"),
    ],
)
def test_wrong_settings_are_sentences(
    extra: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    real = series(tmp_path, "real", 1)
    given = ["--real", real, "--synthetic", f"m={real}", "--out", str(tmp_path / "x"), *extra]
    assert main(given) == 1
    assert sentence in capsys.readouterr().err


def test_two_real_patients_of_one_name_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They were one patient, whose halves are too near to each other."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    places = [series(tmp_path / name, "CT", seed) for seed, name in enumerate(("a", "b"))]
    made = f"m={series(tmp_path, 'made', 3)}"
    given = ["--synthetic", made, "--size", "32", "--layers", "equal", "--out", str(tmp_path / "x")]
    assert main(["--real", *places, *given]) == 1
    assert "'CT' is in two: write NAME= before each" in capsys.readouterr().err
    named = [f"{name}={place}" for name, place in zip("ab", places, strict=True)]
    assert main(["--real", *named, *given]) == 0
    whole = json.loads((tmp_path / "x.json").read_text())
    assert {m["settings"].get("real_patients", 2) for m in whole["measurements"]} == {2}


def test_several_series_of_a_patient_may_be_given(tmp_path: Path) -> None:
    places = [f"p={series(tmp_path, name, seed)}" for seed, name in enumerate("ab")]
    found = read_set([*places, series(tmp_path, "c", 3)], "equal", 32)
    assert set(found.patients[1]) == {"p", "c"}


def test_slices_in_no_layer_are_not_kept(tmp_path: Path) -> None:
    table = tmp_path / "layers.csv"
    table.write_text("series,layer,first,last\na,4,2,3\n")
    found = read_set([series(tmp_path, "a", 1)], str(table), 32)
    assert {layer: len(images) for layer, images in found.images.items()} == {4: 2}
