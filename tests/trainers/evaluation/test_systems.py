from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.trainers.evaluation.test_summary import row
from trainers.evaluation.case import OURS, EvaluationError
from trainers.evaluation.results import Pair, Results, Row
from trainers.evaluation.systems import compared, main, quantity_means, tables

FACTS = {"better": {"MAE": "lower"}, "sources": [{"name": "a"}]}


def rows(method: str, offset: float, patients: int = 8) -> list[Row]:
    values = np.random.default_rng(1).normal(10, 2, patients)
    return [row(f"P{i}", float(value) + offset, method=method) for i, value in enumerate(values)]


def results() -> Results:
    return Results(FACTS, [*rows("A", 3), *rows("B", 0), *rows(OURS, 1), *rows("C", 0.5)])


def test_the_judged_system_is_tested_against_the_others_by_their_names() -> None:
    found = compared([results()], "B", ["A", OURS])
    assert found.methods == ("A", OURS, "B")
    assert {test.baseline for test in found.tests} == {"A", OURS}
    for test in found.tests:
        assert (test.n, test.better) == (8, 8)
        assert test.p_holm == pytest.approx(2 * 2 / 2**8)  # two tests
    gains = {test.baseline: test.gain for test in found.tests}
    assert gains == pytest.approx({"A": 3, OURS: 1})
    means = {line.method: line.mean for line in found.lines}
    assert set(means) == {"A", "B", OURS}
    assert means["A"] - means["B"] == pytest.approx(3)


def test_what_is_served_can_be_judged_too() -> None:
    (test,) = compared([results()], OURS, ["B"]).tests
    assert (test.baseline, test.better) == ("B", 0)


def test_results_of_several_files_are_taken_together() -> None:
    more = Results(FACTS, [replace(one, place=replace(one.place, patient="Q" + one.place.patient))
                           for one in results().rows])  # fmt: skip
    (test,) = compared([results(), more], "B", ["A"]).tests
    assert test.n == 16


def test_a_method_that_there_is_not_is_refused() -> None:
    with pytest.raises(EvaluationError, match="'D'"):
        compared([results()], "D", ["A"])


def test_tables_star_what_differs() -> None:
    text = tables(compared([results()], "B", ["A", "C"]))
    header, line = text.splitlines()[-3], text.splitlines()[-1]
    assert header.endswith("| A | C | B |")
    assert line.count("*") == 2
    few = Results(FACTS, [*rows("A", 3, 3), *rows("B", 0, 3)])
    assert "*" not in tables(compared([few], "B", ["A"])).splitlines()[-1]


def test_the_command_reads_an_evaluation_and_writes_both_files(tmp_path: Path) -> None:
    (tmp_path / "all.json").write_text(json.dumps(results().to_json()))
    command = [str(tmp_path / "all.json"), "--judged", OURS, "--against", "A"]
    assert main([*command, "--out", str(tmp_path / "made")]) == 0
    written = json.loads((tmp_path / "made.json").read_text())
    assert written["judged"] == OURS
    assert {one["baseline"] for one in written["tests"]} == {"A"}
    assert "measurements" not in written
    assert "| MAE | 8 |" in (tmp_path / "made.md").read_text()


def test_quantities_are_means_over_cases_that_have_them() -> None:
    places = [one.place for one in rows("A", 0, 3)]
    pairs = [Pair(place, "A", "mean", "HU", truth, 2 * truth)
             for place, truth in zip(places, (1.0, 3.0, float("nan")), strict=True)]  # fmt: skip
    (found,) = quantity_means(pairs)
    assert (found["n"], found["truth"], found["output"]) == (2, 2, 4)
    (nothing,) = quantity_means(pairs[2:])
    assert nothing["n"] == 0
    assert "truth" not in nothing
