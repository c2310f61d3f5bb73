from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from tests.trainers.evaluation.toy import SHAPE, TOY, case, ours
from trainers.evaluation.case import OURS, Case, EvaluationError, Measure
from trainers.evaluation.measuring import WorstCases, measure_cases, regions
from trainers.evaluation.results import Results
from trainers.metrics.measurement import Mask, Measurement, MetricError


def test_a_region_without_a_voxel_is_left_out() -> None:
    found = [(name, kind) for name, _, kind in regions(case(1))]
    assert found == [("body", "whole"), ("upper half", "district")]
    assert [kind for _, _, kind in regions(case(2))] == ["whole", "district", "lesion"]


def test_the_worst_cases_are_kept_and_no_others() -> None:
    worst = WorstCases(TOY.measures[0], kept=2)
    many = [case(patient) for patient in (3, 9, 1, 7)]
    done = measure_cases(TOY, many, {OURS: ours}, "test", Results({}), worst)
    assert len(list(done)) == 4
    assert [kept.place.patient for kept in worst.worst_first()] == ["P9", "P7"]


def test_the_slice_shown_is_the_one_with_the_largest_error() -> None:
    one = case(2)
    output = one.truth.voxels.copy()
    output[2, 3, 3] += 100
    output[0, 0, 0] += 9000  # outside the body
    worst = WorstCases(TOY.measures[0])
    methods = {OURS: lambda _: output}
    list(measure_cases(TOY, [one], methods, "test", Results({}), worst))
    (shown,) = worst.worst_first()
    assert shown.slice_index == 2
    np.testing.assert_array_equal(shown.truth, one.truth.voxels[2])
    np.testing.assert_array_equal(shown.inputs["CT"], one.inputs["CT"].voxels[2])


def test_cases_are_read_one_at_a_time() -> None:
    read: list[int] = []

    def cases() -> Iterator[Case]:
        for patient in range(3):
            read.append(patient)
            yield case(patient)

    worst = WorstCases(TOY.measures[0])
    done = measure_cases(TOY, cases(), {OURS: ours}, "test", Results({}), worst)
    next(done)
    assert read == [0]


def test_a_mask_on_another_grid_is_refused() -> None:
    good = case(0)
    wrong = Mask("body", np.ones((1, 2, 3), dtype=bool))
    with pytest.raises(EvaluationError, match="truth's shape"):
        replace(good, masks={"body": wrong})
    with pytest.raises(EvaluationError, match="at least one input and one mask"):
        Case("P", "c", {}, good.truth, {"body": Mask("body", np.ones(SHAPE, dtype=bool))})


def test_labels_are_given_once() -> None:
    with pytest.raises(EvaluationError, match="MAE twice"):
        replace(TOY, measures=(TOY.measures[0], TOY.measures[0]))
    with pytest.raises(EvaluationError, match="at least one measure"):
        replace(TOY, measures=())


def test_a_district_too_small_for_a_measure_has_no_figure_and_the_whole_must_have_one() -> None:
    def refuse(one: Case, output: np.ndarray, mask: Mask) -> Measurement:
        if mask.description == "upper half":
            raise MetricError("too small")
        return TOY.measures[0].score(one, output, mask)

    picky = replace(TOY, measures=(Measure("picky", refuse, "lower"),))
    results = Results({})
    worst = WorstCases(picky.measures[0])
    list(measure_cases(picky, [case(1)], {OURS: ours}, "test", results, worst))
    found = {row.place.region: row.measurement for row in results.rows}
    assert np.isnan(found["upper half"].value)
    assert found["upper half"].settings == {"not defined": "too small"}
    assert found["body"].value > 0
    small = replace(case(1), masks={"upper half": case(1).masks["upper half"]})
    with pytest.raises(MetricError, match="too small"):
        list(measure_cases(picky, [small], {OURS: ours}, "test", Results({}), worst))
