from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trainers.evaluation.test_summary import row
from trainers.evaluation.case import Measure
from trainers.evaluation.measures import compared
from trainers.evaluation.paired_tests import holm, paired_tests, signed_rank_p
from trainers.metrics.intensity import mae
from trainers.metrics.measurement import ALL_HU

LOWER = compared(mae, ALL_HU, "lower")


def test_holm_is_the_textbook_example() -> None:
    corrected = holm(np.array([0.01, 0.04, 0.03, 0.005]))
    assert corrected.tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_never_helps_and_keeps_the_order(p: list[float]) -> None:
    corrected = holm(np.array(p))
    assert (corrected >= np.array(p) - 1e-12).all()
    assert (corrected <= 1).all()
    order = np.argsort(p, kind="stable")
    assert (np.diff(corrected[order]) >= -1e-12).all()


def test_a_test_that_could_not_be_made_does_not_count() -> None:
    corrected = holm(np.array([0.02, np.nan, 0.04]))
    assert corrected[0] == pytest.approx(0.04)
    assert np.isnan(corrected[1])
    assert np.isnan(holm(np.array([np.nan]))).all()


def test_p_of_the_signed_ranks() -> None:
    assert signed_rank_p(np.arange(1.0, 6.0)) == pytest.approx(0.0625)  # 2 / 2^5
    assert signed_rank_p(np.zeros(4)) == 1
    assert np.isnan(signed_rank_p(np.array([])))


@pytest.mark.parametrize(("better", "gain", "wins"), [("lower", 2, 6), ("higher", -2, 0)])
def test_gains_have_the_sign_of_better(better: str, gain: float, wins: int) -> None:
    measure = Measure("MAE", LOWER.score, better)  # type: ignore[arg-type]
    ours = [row(f"P{i}", 1.0 + i) for i in range(6)]
    others = [row(f"P{i}", 3.0 + i, method="input") for i in range(7)]
    (test,) = paired_tests(ours + others, [measure])
    assert (test.n, test.better, test.gain) == (6, wins, gain)
    assert test.p == test.p_holm == pytest.approx(2 / 2**6)
    assert test.smallest_p == 2 / 2**6


def test_families_are_splits_and_groups() -> None:
    rows = []
    for group in ("real", "simulated"):
        for i in range(6):
            rows.append(row(f"P{i}", 1.0 + i, group=group))
            rows += [row(f"P{i}", 3.0 + i, group=group, method=m) for m in ("input", "mean")]
    tests = paired_tests(rows, [LOWER])
    assert [test.p_holm for test in tests] == pytest.approx([4 / 2**6] * 4)  # 2 tests a family
