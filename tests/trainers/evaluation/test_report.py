from __future__ import annotations

from argparse import Namespace

import pytest

from tests.trainers.evaluation.toy import TOY
from trainers.evaluation.measuring import WorstCases, measure_cases
from trainers.evaluation.report import (
    Findings,
    best_methods,
    findings,
    html_report,
    range_text,
    sections,
)
from trainers.evaluation.results import Results


@pytest.fixture(scope="module")
def found() -> Findings:
    """Figures of 3 patients, one of whom has a validation case."""
    facts = {"model": "toy", "weights_sha256": "0", "created": "", "sources": [], "settings": {}}
    results = Results(facts)
    methods = TOY.methods(Namespace())
    for split, place in (("test", "3"), ("validation", "1")):
        cases = TOY.cases(place, Namespace())
        worst = WorstCases(TOY.measures[0])
        list(measure_cases(TOY, cases, methods, split, results, worst))
    return findings(TOY, results)


def test_the_best_is_lowest_or_highest_as_the_measure_says(found: Findings) -> None:
    best = best_methods(TOY, found)
    assert {cell.measure for cell in best} == {"MAE", "PSNR, abdomen"}
    assert set(best.values()) == {"ours"}  # lower MAE, higher PSNR


def test_every_district_and_all_lesions_have_a_table(found: Findings) -> None:
    test, validation = sections(found)
    assert list(test.of_kind("whole")) == ["body"]
    assert list(test.of_kind("district")) == ["upper half"]
    lesions = test.of_kind("lesion")["all lesions"]["MAE"]
    assert lesions["ours"].n == 2  # of the patients 0 and 2
    assert lesions["ours"].mean == pytest.approx(5.01, abs=1e-4)
    assert [line["place"].patient for line in test.lesions] == ["P0", "P2"]
    assert test.lesions[1]["measures"]["MAE"].value == pytest.approx(5.02, abs=1e-4)
    pair = test.lesions[1]["quantities"]["mean"]
    assert pair.output - pair.truth == pytest.approx(5.02, abs=1e-4)
    assert (test.most_patients, validation.most_patients) == (3, 1)


def test_one_patient_has_neither_boxes_nor_tests(found: Findings) -> None:
    test, validation = sections(found)
    assert len(test.boxes) == 2 + 1 + 1  # both measures of the whole, one of district and lesions
    assert validation.boxes == []
    assert "A paired test wants several patients; here there is one." in html_report(TOY, found)


def test_ranges_are_told_as_they_were_set() -> None:
    assert range_text([-1024, 3071, "HU"]) == "-1024 to 3071 HU"
    assert range_text([0.0, 1.0, "1"]) == "0 to 1"
    assert range_text([None, None, "1"]) == "every value"
    assert range_text([None, 20, "SUVbw"]) == "any to 20 SUVbw"
    assert range_text(None) == "no intensities"
