from __future__ import annotations

import json
import re
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.trainers.evaluation.toy import TOY, case
from trainers.evaluation.case import Case, Evaluation, EvaluationError
from trainers.evaluation.command import evaluate, runs_of, settings_of, split_and_place


class Tags(HTMLParser):
    """Every tag that is opened, and whatever an attribute points to."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)
        self.addresses += [str(v) for k, v in attrs if k in ("src", "href", "action", "data")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Report and figures of 7 test and 3 validation patients."""
    out = tmp_path_factory.mktemp("evaluation") / "results" / "toy"
    assert evaluate(TOY, ["--data", "test:7", "validation:10+3", "--out", str(out)]) == 0
    return out


@pytest.mark.parametrize("second", ["test:2", "train:2", "test:1+3"])
def test_a_patient_in_two_places_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], second: str
) -> None:
    """Else two patients of one name count as one, and who was trained on is measured as test."""
    out = tmp_path / "toy"
    assert evaluate(TOY, ["--data", "test:2", second, "--out", str(out)]) == 1
    assert "A patient is wanted in one place of --data" in capsys.readouterr().err
    assert not out.with_suffix(".json").exists()


def test_a_patient_may_be_in_two_groups(tmp_path: Path) -> None:
    """One breast with iodine and without, say."""

    def grouped(place: str, options: Namespace) -> Iterator[Case]:
        return (case(patient, group=place) for patient in range(2))

    assert (
        evaluate(replace(TOY, cases=grouped), ["--data", "a", "b", "--out", f"{tmp_path}/toy"]) == 0
    )


def test_the_report_is_one_file_that_points_nowhere(out: Path) -> None:
    page = out.with_suffix(".html").read_text()
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    assert len(tags.addresses) >= 10
    assert all(address.startswith("data:image/") for address in tags.addresses)
    assert re.findall(r"url\(|@import|<script|https?://", page) == []


def test_the_report_holds_every_part(out: Path) -> None:
    page = out.with_suffix(".html").read_text()
    parts = ["By district", "Every lesion", "Paired tests", "Bland and Altman", "Worst cases"]
    assert [part for part in [*parts, *TOY.notes, "7 patients"] if part not in page] == []
    assert page.index("Test</h2>") < page.index("Validation</h2>")
    assert page.count("Do not quote the figures") == 1


def test_every_figure_has_range_mask_n_and_split(out: Path) -> None:
    whole = json.loads(out.with_suffix(".json").read_text())
    figures = whole["measurements"]
    # 10 patients x 2 methods x 2 regions x 2 measures, and 4 + 2 lesions x 2 methods
    assert len(figures) == 10 * 8 + 6 * 2
    wanted = {"split", "patient", "region", "method", "value", "unit", "data_range", "mask", "n"}
    assert all(wanted <= set(figure) for figure in figures)
    assert {figure["split"] for figure in figures} == {"test", "validation"}
    assert all(figure["n"] > 0 for figure in figures)


def test_summary_and_tests_follow_from_the_figures(out: Path) -> None:
    whole = json.loads(out.with_suffix(".json").read_text())
    line = next(
        line
        for line in whole["summary"]
        if (line["split"], line["region"], line["measure"], line["method"])
        == ("test", "body", "MAE", "ours")
    )
    assert line["mean"] == pytest.approx(5.03, abs=1e-4)
    assert line["n"] == 7
    test = next(test for test in whole["tests"] if test["split"] == "test")
    assert (test["n"], test["better"]) == (7, 7)
    assert test["gain"] == pytest.approx(14.97, abs=1e-4)
    assert test["p"] == pytest.approx(2 / 2**7)


def test_no_path_of_this_machine_is_written(out: Path) -> None:
    for suffix in (".json", ".html"):
        assert str(out.parent) not in out.with_suffix(suffix).read_text()


def test_baselines_can_be_chosen_and_ours_always_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "x"
    assert evaluate(TOY, ["--data", "2", "--out", str(out), "--methods", "ours"]) == 0
    figures = json.loads(out.with_suffix(".json").read_text())["measurements"]
    assert {figure["method"] for figure in figures} == {"ours"}
    assert evaluate(TOY, ["--data", "2", "--out", str(out), "--methods", "theirs"]) == 1
    assert "some of 'input', 'ours', got 'theirs'" in capsys.readouterr().err


def test_settings_are_told_without_the_folders_of_this_machine() -> None:
    options = Namespace(
        data=["/a/b"],
        seed=3,
        limit=None,
        fitted_to="sts:/home/me/sts=STS_001,STS_002",
        fold=["P6=/home/me/run/weights.safetensors"],
        run=[],
    )
    assert settings_of(options) == {
        "seed": 3,
        "fitted_to": "sts:sts=STS_001,STS_002",
        "fold": ["P6=weights.safetensors"],
    }


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("validation:/a/b", ("validation", "/a/b")),
        ("/a/b", ("test", "/a/b")),
        ("chest:/a", ("test", "chest:/a")),
        ("set:/a:test", ("test", "set:/a:test")),
        ("set:/a:validation", ("validation", "set:/a:validation")),
        ("train:set:/a:train", ("train", "set:/a:train")),
        ("validation:set:/a", ("validation", "set:/a")),
    ],
)
def test_a_place_may_name_its_split(source: str, wanted: tuple[str, str]) -> None:
    assert split_and_place(source) == wanted


def test_a_side_of_a_gathered_set_is_called_nothing_else() -> None:
    """Figures of the test split go onto the card."""
    with pytest.raises(EvaluationError, match="its own split, validation, got 'test'"):
        split_and_place("test:set:/a:validation")


def test_a_place_without_cases_is_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(TOY, ["--data", "0", "--out", str(tmp_path / "x")]) == 1
    assert "No case was found in 0" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (replace(TOY, methods=lambda _: {"input": lambda case: case.truth.voxels}), "'ours'"),
        (replace(TOY, methods=lambda _: {"ours": lambda case: case.truth.voxels[1:]}), "shape"),
    ],
    ids=["without ours", "another grid"],
)
def test_methods_that_do_not_fit_are_refused(
    broken: Evaluation, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(broken, ["--data", "2", "--out", str(tmp_path / "x")]) == 1
    assert sentence in capsys.readouterr().err


def test_a_run_has_a_name_and_a_folder() -> None:
    assert runs_of(Namespace(run=["narrow=runs/a"])) == {"narrow": Path("runs/a")}
    with pytest.raises(EvaluationError, match="wants NAME=FOLDER, got 'runs/a'"):
        runs_of(Namespace(run=["runs/a"]))
