from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainers.metrics.measurement import MetricError
from trainers.metrics.reading import (
    fleiss_kappa,
    independence_p,
    krippendorff_alpha,
    permutation_p,
    proportion,
)


@pytest.mark.parametrize(
    ("table", "wanted"),
    [  # the reproducible cells of Table 3 of arXiv 2407.10888
        pytest.param([[44, 22], [33, 38]], 0.027, id="survey 2"),
        pytest.param([[32, 22], [24, 30]], 0.178, id="survey 3"),
        pytest.param([[31, 25], [29, 26]], 0.930, id="survey 4"),
        pytest.param([[77, 60], [56, 52]], 0.582, id="surveys 2 and 3"),
        pytest.param([[56, 52], [60, 51]], 0.848, id="surveys 3 and 4"),
    ],
)
def test_published_values(table: list[list[int]], wanted: float) -> None:
    found = independence_p(table, "survey")
    assert found.value == pytest.approx(wanted, abs=5e-4)
    assert found.n == sum(map(sum, table))


def test_published_cells_that_follow_from_no_counts() -> None:
    """Named in docs/blind_reading.md; were one of them to come out, the page would be wrong."""
    assert independence_p([[77, 60], [60, 51]], "surveys 2 and 4").value == pytest.approx(
        0.833, abs=5e-4
    )
    percents = [round(100 * k / n, 1) for n in range(1, 61) for k in range(n + 1)]
    assert (percents.count(55.4), percents.count(47.3)) == (1, 1)  # 31 of 56, 26 of 55
    assert round(100 * (31 + 26) / (56 + 55), 1) == 51.4  # published: 52.3


@pytest.mark.parametrize("table", [[[1, 2, 3], [4, 5, 6]], [[0, 0], [3, 4]], [[-1, 2], [3, 4]]])
def test_other_tables_are_refused(table: list[list[int]]) -> None:
    with pytest.raises(MetricError, match="2 x 2"):
        independence_p(table, "survey")


@pytest.mark.parametrize(
    ("table", "wanted"),
    [  # percent over all, real and synthetic cases: Table 2 of the same paper. Its 52.3 over all
        # of survey 4 is 58 of 111, which its own 55.4 and 47.3 (31 of 56, 26 of 55) rule out.
        pytest.param([[44, 22], [33, 38]], (59.9, 66.7, 53.5), id="survey 2"),
        pytest.param([[32, 22], [24, 30]], (57.5, 59.3, 55.6), id="survey 3"),
        pytest.param([[31, 25], [29, 26]], (51.4, 55.4, 47.3), id="survey 4"),
    ],
)
def test_published_accuracies(table: list[list[int]], wanted: tuple[float, ...]) -> None:
    (right, missed), (fooled, found) = table
    shares = (
        proportion(right + found, sum(map(sum, table)), "accuracy", "survey"),
        proportion(right, right + missed, "accuracy", "survey"),
        proportion(found, fooled + found, "accuracy", "survey"),
    )
    for share, percent in zip(shares, wanted, strict=True):
        assert 100 * share.value == pytest.approx(percent, abs=0.1)
        low, high = (share.settings[end] for end in ("low", "high"))
        assert isinstance(low, float)
        assert isinstance(high, float)
        assert low < share.value < high


def test_wilson_interval_by_its_own_formula() -> None:
    share = proportion(9, 10, "accuracy", "reader")
    z, n, p = 1.959964, 10, 0.9
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert share.settings["low"] == pytest.approx(middle - half, abs=1e-6)
    assert share.settings["high"] == pytest.approx(middle + half, abs=1e-6)


def test_no_answers_have_no_share() -> None:
    assert np.isnan(proportion(0, 0, "accuracy", "reader").value)
    with pytest.raises(MetricError, match="0 to 3"):
        proportion(4, 3, "accuracy", "reader")


FLEISS_1971 = [  # ten subjects, fourteen raters, five categories: the usual worked example
    *([0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1]),
    *([7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7]),
]


def test_fleiss_kappa_of_the_worked_example() -> None:
    assert fleiss_kappa(np.array(FLEISS_1971), "example").value == pytest.approx(0.210, abs=5e-4)


def test_fleiss_kappa_refuses_unequal_readers() -> None:
    with pytest.raises(MetricError, match="same number of readers"):
        fleiss_kappa(np.array([[2, 1, 0], [1, 1, 0]]), "example")


KRIPPENDORFF = [  # four observers, twelve units, some missing: alpha is 0.743 for nominal data
    [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
    [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
]


def test_krippendorff_alpha_of_the_worked_example() -> None:
    given = np.array(KRIPPENDORFF)
    counts = np.stack([(given == value).sum(axis=0) for value in range(1, 6)], axis=1)
    found = krippendorff_alpha(counts, "example")
    assert found.value == pytest.approx(0.743, abs=5e-4)
    assert (found.n, found.settings["answers"]) == (11, 40)


@given(st.integers(2, 6), st.integers(2, 12), st.integers(0, 1000))
def test_agreement_is_one_when_all_agree_and_about_nought_by_chance(
    readers: int, cases: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    counts = np.eye(3, dtype=np.int64)[np.arange(cases) % 3] * readers
    assert fleiss_kappa(counts, "all agree").value == pytest.approx(1)
    assert krippendorff_alpha(counts, "all agree").value == pytest.approx(1)
    random = generator.multinomial(readers, [0.4, 0.4, 0.2], size=4000)
    assert abs(fleiss_kappa(random, "chance").value) < 0.06
    assert abs(krippendorff_alpha(random, "chance").value) < 0.06


def test_alpha_wants_two_answers_on_a_case() -> None:
    with pytest.raises(MetricError, match="two readers"):
        krippendorff_alpha(np.array([[1, 0, 0], [0, 1, 0]]), "one reader")


def test_permutation_sees_knowledge_and_no_knowledge() -> None:
    truth = np.array([True] * 10 + [False] * 10)
    knows = np.stack([np.where(truth, 0, 5), np.where(truth, 5, 0)], axis=1).astype(float)
    assert permutation_p(knows, truth, "all correct").value < 0.001
    always_real = np.tile([5.0, 0.0], (20, 1))
    assert permutation_p(always_real, truth, "always says real").value == 1


def test_permutation_holds_its_level_where_readers_copy_each_other() -> None:
    generator = np.random.default_rng(5)
    truth = np.array([True] * 10 + [False] * 10)
    below = 0
    for _ in range(60):  # ten readers who all say the same, at random: one reading, not ten
        said = generator.random(20) < 0.5
        votes = np.stack([np.where(said, 0, 10), np.where(said, 10, 0)], axis=1).astype(float)
        below += permutation_p(votes, truth, "copies").value < 0.05
    assert below <= 9


def test_permutation_wants_both_kinds() -> None:
    with pytest.raises(MetricError, match="real and synthetic"):
        permutation_p(np.ones((3, 2)), np.array([True, True, True]), "one kind")
