"""What unpaired scores tell of paired ones: correlations, and regression by a decision tree.

Pure: a table of observations goes in, figures come out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.stats import pearsonr, spearmanr
from sklearn.model_selection import GroupKFold, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import RobustScaler
from sklearn.tree import DecisionTreeRegressor

from trainers.evaluation.case import EvaluationError
from trainers.evaluation.paired_tests import holm
from trainers.evaluation.quality_scores import PAIRED, UNPAIRED
from trainers.metrics.measurement import Floats

FOLDS = 10
FEWEST = 2 * FOLDS
"""Observations that the study wants at least."""


@dataclass(frozen=True)
class Observation:
    """All scores of a few neighbouring slices under one method.

    Attributes:
        patient: whose.
        slices: which slices of whom: the same place under other methods has the same words.
        method: whose output, at which dose.
        scores: name to value.
    """

    patient: str
    slices: str
    method: str
    scores: Mapping[str, float]


@dataclass(frozen=True)
class Correlation:
    """How one unpaired score goes with one paired score.

    Attributes:
        paired, unpaired: their names.
        pearson, spearman: coefficients; NaN where a score never changes.
        within: rank coefficient inside a patient, mean over the patients. Patients differ in both
            scores for reasons of anatomy, which the other two coefficients cannot tell from
            quality.
        p_holm: p of the rank correlation, Holm's correction over all pairs of scores. It takes
            observations as independent, which those of one patient are not: read it as a bound.
    """

    paired: str
    unpaired: str
    pearson: float
    spearman: float
    within: float
    p_holm: float


@dataclass(frozen=True)
class Regression:
    """A paired score predicted from all unpaired ones, out of fold.

    Attributes:
        paired: its name.
        nrmse, nrmse_spread: root mean square error / range of the score: mean and standard
            deviation over the folds.
        nrmse_of_mean: the same when the training folds' mean is the prediction.
        importance: mean importance of each unpaired score over the folds' trees.
        importance_spread: its standard deviation.
    """

    paired: str
    nrmse: float
    nrmse_spread: float
    nrmse_of_mean: float
    importance: Mapping[str, float]
    importance_spread: Mapping[str, float]


@dataclass(frozen=True)
class Study:
    """The whole analysis.

    Attributes:
        observations: how many.
        folds: how they were split, in words.
        correlations: of every pair of scores.
        regressions: of every paired score.
    """

    observations: int
    folds: str
    correlations: Sequence[Correlation]
    regressions: Sequence[Regression]

    def to_json(self) -> dict[str, Any]:
        """The analysis for a JSON file."""
        return asdict(self)


def refuse_few(count: int) -> None:
    """See that there are observations for all folds; asked before they are scored, too.

    Raises:
        EvaluationError: there are not.
    """
    if count < FEWEST:
        raise EvaluationError(
            f"At least {FEWEST} observations are wanted for {FOLDS} folds, got {count}; give "
            "more series or doses, or smaller blocks of slices."
        )


def analyse(table: Sequence[Observation], seed: int = 0) -> Study:
    """Correlations and regressions of a table.

    Raises:
        EvaluationError: too few observations, or a score that is not finite.
    """
    refuse_few(len(table))
    values = {name: np.array([row.scores[name] for row in table]) for name in PAIRED + UNPAIRED}
    if wrong := [name for name, column in values.items() if not np.isfinite(column).all()]:
        raise EvaluationError(
            f"Every score should be finite, got others for {', '.join(wrong)}; leave out methods "
            "that give back the truth (--methods)."
        )
    groups = np.array([f"{row.patient} {row.slices}" for row in table])
    splits, words = folds(groups, seed)
    return Study(
        len(table),
        words,
        correlations(values, np.array([row.patient for row in table])),
        [_regression(name, values, splits, seed) for name in PAIRED],
    )


def correlations(values: Mapping[str, Floats], patients: Any) -> list[Correlation]:
    """Every paired with every unpaired score; p corrected over all of them.

    Args:
        values: score to its value in each observation.
        patients: (observations,) whose each is.
    """
    pairs = [(paired, unpaired) for paired in PAIRED for unpaired in UNPAIRED]
    found = [_correlation(values[one], values[other]) for one, other in pairs]
    corrected = holm(np.array([p for _, _, p in found]))
    return [
        Correlation(
            one,
            other,
            pearson,
            spearman,
            _within(values[one], values[other], patients),
            float(p),
        )
        for (one, other), (pearson, spearman, _), p in zip(pairs, found, corrected, strict=True)
    ]


def _correlation(first: Floats, second: Floats) -> tuple[float, float, float]:
    """Pearson's and Spearman's coefficient, and p of the latter."""
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan"), float("nan"), float("nan")
    rank = spearmanr(first, second)
    return float(pearsonr(first, second).statistic), float(rank.statistic), float(rank.pvalue)


def _within(first: Floats, second: Floats, patients: Any) -> float:
    """Mean over the patients of Spearman's coefficient of each; NaN where it is defined in none."""
    found = []
    for patient in np.unique(patients):
        one, other = first[patients == patient], second[patients == patient]
        if np.ptp(one) > 0 and np.ptp(other) > 0:
            found.append(float(spearmanr(one, other).statistic))
    return float(np.mean(found)) if found else float("nan")


Splits = Sequence[tuple[Any, Any]]


def folds(groups: Any, seed: int) -> tuple[Splits, str]:
    """Ten folds and how they were made: the same slices are never on both sides if possible."""
    index = np.zeros((len(groups), 1))
    if len(np.unique(groups)) >= FOLDS:
        splitter = GroupKFold(FOLDS, shuffle=True, random_state=seed)
        words = "10 folds; the same slices under another method are never on both sides"
        return list(splitter.split(index, groups=groups)), words
    splitter = KFold(FOLDS, shuffle=True, random_state=seed)
    words = (
        "10 folds at random: there are fewer than 10 blocks of slices, so that slices of a fold "
        "are also in its training part, under other methods"
    )
    return list(splitter.split(index)), words


def _regression(name: str, values: Mapping[str, Floats], splits: Splits, seed: int) -> Regression:
    """One paired score, fold by fold."""
    features = np.column_stack([values[unpaired] for unpaired in UNPAIRED])
    wanted = values[name]
    extent = float(np.ptp(wanted)) or 1.0
    errors, of_mean, importances = [], [], []
    for train, test in splits:
        tree = DecisionTreeRegressor(random_state=seed)
        model = make_pipeline(RobustScaler(), tree).fit(features[train], wanted[train])
        errors.append(_root_mean_square(model.predict(features[test]) - wanted[test]) / extent)
        of_mean.append(_root_mean_square(wanted[train].mean() - wanted[test]) / extent)
        importances.append(tree.feature_importances_)
    mean, spread = np.mean(importances, axis=0), np.std(importances, axis=0, ddof=1)
    return Regression(
        name,
        float(np.mean(errors)),
        float(np.std(errors, ddof=1)),
        float(np.mean(of_mean)),
        dict(zip(UNPAIRED, map(float, mean), strict=True)),
        dict(zip(UNPAIRED, map(float, spread), strict=True)),
    )


def _root_mean_square(errors: Floats) -> float:
    return float(np.sqrt((errors**2).mean()))
