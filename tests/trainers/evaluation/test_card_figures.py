from __future__ import annotations

import json
import shutil
from argparse import Namespace
from pathlib import Path

import pytest

from pipelines import catalog
from pipelines.card import read_card
from tests.trainers.evaluation.toy import TOY
from trainers.evaluation.card_figures import fill_card, main
from trainers.evaluation.case import EvaluationError
from trainers.evaluation.measuring import WorstCases, measure_cases
from trainers.evaluation.report import findings
from trainers.evaluation.results import Results
from trainers.evaluation.served import model_facts


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout with one card."""
    folder = tmp_path / "pipelines" / TOY.pipeline
    folder.mkdir(parents=True)
    shutil.copy(catalog.folder(TOY.pipeline) / "card.yaml", folder)
    return tmp_path


@pytest.fixture
def figures(tmp_path: Path) -> Path:
    """Figures of 4 test and 2 validation patients."""
    better = {measure.label: measure.better for measure in TOY.measures}
    results = Results({**model_facts(TOY.pipeline), "better": better})
    worst = WorstCases(TOY.measures[0])
    options = Namespace()
    for split, place in (("test", "4"), ("validation", "2")):
        cases = TOY.cases(place, options)
        list(measure_cases(TOY, cases, TOY.methods(options), split, results, worst))
    path = tmp_path / "toy.json"
    path.write_text(json.dumps(findings(TOY, results).to_json()))
    return path


def test_the_card_gets_ours_beside_the_best_baseline(
    root: Path, figures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(figures), "--root", str(root)]) == 0
    assert "filled pipelines/ldct_denoise/card.yaml" in capsys.readouterr().out
    path = root / "pipelines" / TOY.pipeline / "card.yaml"
    card, before = read_card(path), catalog.card(TOY.pipeline)
    assert card.model_copy(update={"evaluation": before.evaluation}) == before
    first = card.evaluation[0]
    assert (first.measure, first.data) == ("MAE, body", "toy: 4 patients")
    assert (first.compared_with, first.input, first.output) == ("input", 20.0, 5.015)
    measures = [figure.measure for figure in card.evaluation]
    assert "PSNR, abdomen, upper half" in measures
    assert "MAE, all lesions" in measures
    assert len(measures) == len(set(measures)) == 5  # the validation split is not on the card


def test_figures_of_other_weights_are_refused(root: Path, figures: Path, tmp_path: Path) -> None:
    other = json.loads(figures.read_text()) | {"weights_sha256": "0" * 64}
    path = tmp_path / "other.json"
    path.write_text(json.dumps(other))
    with pytest.raises(EvaluationError, match="got those of 000000000000"):
        fill_card([path], root)


def test_figures_of_two_evaluations_stand_on_one_card(
    root: Path, figures: Path, tmp_path: Path
) -> None:
    second = tmp_path / "second.json"
    second.write_text(figures.read_text().replace('"data": "toy"', '"data": "other"'))
    assert main([str(figures), str(second), "--root", str(root)]) == 0
    card = read_card(root / "pipelines" / TOY.pipeline / "card.yaml")
    assert [one.data for one in card.evaluation] == [
        *["toy: 4 patients"] * 4, "toy: 2 patients", *["other: 4 patients"] * 4, "other: 2 patients"
    ]  # fmt: skip
    other = json.loads(second.read_text()) | {"weights_sha256": "0" * 64}
    second.write_text(json.dumps(other))
    with pytest.raises(EvaluationError, match="got those of 000000000000"):
        fill_card([figures, second], root)


def test_figures_of_a_validation_split_are_refused(root: Path, figures: Path) -> None:
    text = figures.read_text().replace('"split": "test"', '"split": "validation"')
    path = root / "validation.json"
    path.write_text(text)
    with pytest.raises(EvaluationError, match="figures of the split 'test', got none"):
        fill_card([path], root)
