from __future__ import annotations

import numpy as np
import pytest

from trainers.evaluation.case import EvaluationError
from trainers.evaluation.quality_scores import PAIRED, UNPAIRED
from trainers.evaluation.quality_study import Observation, analyse, folds


def table(blocks: int = 30, methods: int = 4, seed: int = 0) -> list[Observation]:
    """MSE follows the noise level; no other score follows anything."""
    source = np.random.default_rng(seed)
    rows = []
    for block in range(blocks):
        for method in range(methods):
            scores = {name: float(source.normal()) for name in PAIRED + UNPAIRED}
            scores["MSE"] = scores["noise level"] ** 3
            rows.append(Observation(f"P{block % 3}", f"block {block}", f"m{method}", scores))
    return rows


def test_what_follows_is_found_and_what_does_not_is_not() -> None:
    study = analyse(table())
    found = {(c.paired, c.unpaired): c for c in study.correlations}
    assert len(found) == 56
    follows = found["MSE", "noise level"]
    assert follows.spearman == pytest.approx(1)
    assert follows.pearson < 0.95  # the third power is no line
    assert follows.p_holm < 1e-6
    assert found["PSNR", "blur"].p_holm > 0.05
    tree = {one.paired: one for one in study.regressions}
    assert tree["MSE"].nrmse < 0.5 * tree["MSE"].nrmse_of_mean
    assert tree["MSE"].importance["noise level"] > 0.9
    assert tree["PSNR"].nrmse > tree["PSNR"].nrmse_of_mean  # a tree that learnt noise
    assert sum(tree["PSNR"].importance.values()) == pytest.approx(1)


def test_what_holds_inside_every_patient_is_found_though_patients_differ() -> None:
    rows = []
    for row in table():
        patient, blur = int(row.patient[1:]), row.scores["blur"]
        opposed = {"blur": 100.0 * patient + blur, "PSNR": 100.0 * patient - blur}
        rows.append(Observation(row.patient, row.slices, row.method, {**row.scores, **opposed}))
    found = {(c.paired, c.unpaired): c for c in analyse(rows).correlations}["PSNR", "blur"]
    assert found.spearman > 0.5
    assert found.within == pytest.approx(-1)


def test_the_same_slices_are_never_on_both_sides() -> None:
    groups = np.array([f"block {i // 4}" for i in range(60)])
    splits, words = folds(groups, 0)
    assert len(splits) == 10
    assert "never" in words
    for train, test in splits:
        assert set(groups[train]) & set(groups[test]) == set()
    assert sorted(np.concatenate([test for _, test in splits])) == list(range(60))


def test_too_few_blocks_are_split_at_random_and_it_is_said() -> None:
    splits, words = folds(np.array(["a"] * 15 + ["b"] * 15), 0)
    assert len(splits) == 10
    assert "fewer than 10 blocks" in words


def test_a_score_that_never_changes_has_no_correlation() -> None:
    rows = [
        Observation(row.patient, row.slices, row.method, {**row.scores, "blur": 1.0})
        for row in table(10, 2)
    ]
    found = {(c.paired, c.unpaired): c for c in analyse(rows).correlations}
    assert np.isnan(found["SSIM", "blur"].spearman)


def test_what_cannot_be_analysed_is_refused() -> None:
    with pytest.raises(EvaluationError, match="At least 20 observations are wanted for 10 folds"):
        analyse(table(4, 4))
    rows = table(10, 2)
    rows[0] = Observation("P", "b", "m", {**rows[0].scores, "PSNR": float("inf")})
    with pytest.raises(EvaluationError, match="others for PSNR"):
        analyse(rows)
