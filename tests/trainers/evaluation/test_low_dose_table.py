from __future__ import annotations

import math

import numpy as np
import pytest

from tests.trainers.phantom_series import phantom_series
from trainers.evaluation.denoisers import RIVALS, unchanged
from trainers.evaluation.low_dose_table import (
    TOLD,
    WINDOWS,
    cases,
    correlated,
    middle_of,
    score,
    table,
    told_dose,
    tuned,
)
from trainers.simulation.low_dose import Kernel, Scanner
from trainers.simulation.projection import ParallelBeam

SCANNER = Scanner(ParallelBeam(96, 2.0, 120), Kernel(0.15), 3e5)


def test_equal_images_are_perfect() -> None:
    case = cases(phantom_series(), 0.25, 1, SCANNER)[0]
    peak, similarity, error = score(case, case.full, WINDOWS["abdomen"])
    assert math.isinf(peak.value)
    assert similarity.value == pytest.approx(1)
    assert error.value == 0


@pytest.mark.parametrize(("next_to", "two_apart"), [(0.0, 0.0), (0.375, 0.0), (0.7, 0.4)])
def test_noise_has_the_correlation_of_overlapping_slices(next_to: float, two_apart: float) -> None:
    noise = np.random.default_rng(0).normal(size=(3, 300, 300)).astype(np.float32)
    made = correlated(noise, next_to, two_apart)
    found = np.asarray(np.corrcoef(made.reshape(3, -1)))
    np.testing.assert_allclose(
        found[np.triu_indices(3, 1)], [next_to, two_apart, next_to], atol=0.02
    )
    np.testing.assert_allclose(made.std(axis=(1, 2)), 1, atol=0.02)
    np.testing.assert_array_equal(made[1], noise[1])


def test_cases_follow_the_seed_and_the_dose() -> None:
    series = phantom_series()
    first, again, other = (cases(series, 0.25, 2, SCANNER, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first[0].low, again[0].low)
    assert not np.array_equal(first[0].low, other[0].low)
    lower = cases(series, 0.1, 2, SCANNER, 1)
    assert lower[0].sigma == pytest.approx(first[0].sigma * math.sqrt(9 / 3), rel=0.2)


@pytest.mark.parametrize("rival", list(RIVALS))
def test_a_tuned_rival_beats_the_input(rival: str) -> None:
    case = cases(phantom_series(), 0.1, 1, SCANNER)[0]
    window = WINDOWS["abdomen"]
    output = tuned(rival, case, window)(case.low, case.sigma)
    before, after = score(case, case.low[1], window), score(case, output, window)
    assert after[0].value > before[0].value + 1
    assert after[2].value < before[2].value


def test_the_middle_of_a_case_is_the_middle() -> None:
    case = cases(phantom_series(), 0.25, 1, SCANNER)[0]
    part = middle_of(case, 32)
    np.testing.assert_array_equal(part.full, case.full[32:64, 32:64])
    assert part.low.shape == (3, 32, 32)
    assert middle_of(case, 500).full.shape == (96, 96)


def test_the_table_has_a_row_for_every_method_and_dose() -> None:
    rows = table(phantom_series(), "abdomen", [0.5], 1, unchanged)
    assert [row.method for row in rows] == ["input", *RIVALS, "ours", TOLD]
    assert rows[0].measurements[0].value == rows[-1].measurements[0].value


def test_told_a_high_dose_less_is_changed() -> None:
    case = cases(phantom_series(), 0.5, 1, SCANNER)[0]
    low = case.low[1]
    half = told_dose(lambda stack, sigma: stack[1] + 10, 0.5)(case.low, case.sigma)
    np.testing.assert_allclose(half, low + 7, atol=1e-3)
    quarter = told_dose(lambda stack, sigma: stack[1] + 10, 0.25)(case.low, case.sigma)
    np.testing.assert_array_equal(quarter, low + 10)
