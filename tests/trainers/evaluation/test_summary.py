from __future__ import annotations

import numpy as np
import pytest

from trainers.evaluation.results import Kind, Place, Row
from trainers.evaluation.summary import ALL_LESIONS, interval_of_mean, summaries
from trainers.metrics.measurement import ALL_HU, Measurement


def row(
    patient: str,
    value: float,
    case: str = "a",
    kind: Kind = "whole",
    group: str = "",
    method: str = "ours",
) -> Row:
    place = Place("test", group, "toy", patient, case, "region", kind)
    return Row(place, method, "MAE", Measurement("MAE", value, "HU", ALL_HU, "body", 10))


def test_a_patient_with_many_cases_counts_once() -> None:
    (line,) = summaries([row("A", 1, "x"), row("A", 3, "y"), row("B", 8)])
    assert (line.mean, line.n, line.cases) == (5, 2, 3)
    assert line.deviation == pytest.approx(np.std([2, 8], ddof=1))


def test_groups_are_never_averaged_together() -> None:
    lines = summaries([row("A", 1, group="real"), row("B", 9, group="simulated")])
    assert [(line.cell.group, line.mean) for line in lines] == [("real", 1), ("simulated", 9)]


def test_figures_that_are_not_defined_are_left_out_and_counted() -> None:
    (line,) = summaries([row("A", float("nan")), row("B", float("inf")), row("C", 4)])
    assert (line.mean, line.n, line.left_out) == (4, 1, 2)
    (empty,) = summaries([row("A", float("nan"))])
    assert empty.n == 0
    assert empty.to_json()["mean"] is None


def test_lesions_share_one_line() -> None:
    (line,) = summaries([row("A", 1, kind="lesion"), row("A", 3, "b", kind="lesion")])
    assert (line.cell.region, line.mean) == (ALL_LESIONS, 2)


def test_the_interval_covers_the_mean_as_often_as_it_says() -> None:
    source = np.random.default_rng(1)
    intervals = [interval_of_mean(source.normal(3, 1, 40), seed) for seed in range(200)]
    covered = np.mean([low < 3 < high for low, high in intervals])
    assert 0.89 < covered < 0.98
    assert np.isnan(interval_of_mean(np.array([1.0, 2.0]))).all()
