from __future__ import annotations

import numpy as np
import pytest

from trainers.evaluation.agreement import agreements
from trainers.evaluation.results import Kind, Pair, Place


def pair(patient: str, truth: float, output: float, kind: Kind = "whole") -> Pair:
    place = Place("test", "", "toy", patient, "a", f"region of {patient}", kind)
    return Pair(place, "ours", "mean", "HU", truth, output)


def test_bias_and_limits_are_those_of_bland_and_altman() -> None:
    differences = np.array([-2.0, 0.0, 3.0, 5.0])
    lesions = [pair(f"P{i}", 10 * i, 10 * i + d, "lesion") for i, d in enumerate(differences)]
    (line,) = agreements(lesions)
    assert (line.n, line.patients, line.bias, line.truth) == (4, 4, 1.5, 15)
    reach = 1.96 * differences.std(ddof=1)
    assert (line.low, line.high) == pytest.approx((1.5 - reach, 1.5 + reach))


def test_values_that_are_not_there_are_left_out() -> None:
    assert agreements([pair("A", float("nan"), 3)]) == []
    (line,) = agreements([pair("A", 1, 3)])
    assert line.to_json()["low"] is None
    assert line.bias == 2
