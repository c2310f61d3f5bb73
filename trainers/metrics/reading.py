"""Statistics of blind readings: can readers tell real from synthetic, and do they agree?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest, chi2_contingency

from trainers.metrics.measurement import JSON, Measurement, MetricError

CONFIDENCE = 0.95
PERMUTATIONS = 10_000


def independence_p(table: Sequence[Sequence[int]], what: str) -> Measurement:
    """P value that the rows of a 2 x 2 table of counts come from one distribution (Yates).

    For one survey, rows are the truth (real, synthetic) and columns what was said (real,
    synthetic), "cannot tell" left out: a small p says that readers can tell. For two surveys, rows
    are the surveys. As in arXiv 2407.10888, whose reproducible cells are this module's tests.

    Args:
        table: counts, 2 x 2.
        what: who read what, for the record.
    """
    counts = np.asarray(table)
    if counts.shape != (2, 2) or (counts < 0).any() or 0 in (*counts.sum(0), *counts.sum(1)):
        raise MetricError(
            f"A 2 x 2 table of counts with no empty row or column is wanted, got {table}."
        )
    p = float(chi2_contingency(counts).pvalue)
    test = {"test": "chi-squared, Yates's correction"}
    return Measurement("p", p, "1", None, what, int(counts.sum()), settings=test)


def proportion(successes: int, n: int, name: str, what: str) -> Measurement:
    """A share of answers with Wilson's 95 % interval; NaN where there are none.

    The interval takes the answers as independent, which those of one reader, or on one case, are
    not: it is the usual one to publish, and a lower bound of what is not known.

    Args:
        successes: answers that count.
        n: all answers.
        name: of the share.
        what: who read what, for the record.
    """
    if not 0 <= successes <= n:
        raise MetricError(f"A share of 0 to {n} answers is wanted, got {successes}.")
    if n == 0:
        return Measurement(name, float("nan"), "1", None, what, 0)
    interval = binomtest(successes, n).proportion_ci(CONFIDENCE, method="wilson")
    settings: dict[str, JSON] = {
        "interval": "Wilson",
        "confidence": CONFIDENCE,
        "low": float(interval.low),
        "high": float(interval.high),
    }
    return Measurement(name, successes / n, "1", None, what, n, settings=settings)


def permutation_p(
    correct_if: npt.NDArray[np.float64], is_synthetic: npt.NDArray[np.bool_], what: str
) -> Measurement:
    """P value that readers know nothing of the truth, whatever ties their answers together.

    The truth is dealt out anew over the cases, with the same number of synthetic ones, and the
    correct answers are counted. All answers on a case move together, so that several readers of one
    case, and a reader's leaning towards one answer, are allowed for. One-sided: more correct ones.

    Args:
        correct_if: (cases, 2), answers on the case that are correct if it is real, if synthetic.
        is_synthetic: (cases,), the truth.
        what: who read what, for the record.
    """
    if correct_if.shape != (len(is_synthetic), 2) or len(set(is_synthetic.tolist())) != 2:
        raise MetricError(
            f"Answers (cases, 2) on real and synthetic cases are wanted, got {correct_if.shape} "
            f"with {int(is_synthetic.sum())} synthetic of {len(is_synthetic)}."
        )
    gain = correct_if[:, 1] - correct_if[:, 0]
    generator = np.random.default_rng(0)
    dealt = generator.permuted(np.tile(is_synthetic, (PERMUTATIONS, 1)), axis=1)  # (times, cases)
    as_many = int((dealt @ gain >= float(gain[is_synthetic].sum())).sum())
    p = (1 + as_many) / (1 + PERMUTATIONS)
    test: dict[str, JSON] = {
        "test": "permutation of the truth over the cases, one-sided",
        "permutations": PERMUTATIONS,
        "seed": 0,
    }
    return Measurement("p by permutation", p, "1", None, what, len(gain), settings=test)


def fleiss_kappa(counts: npt.NDArray[np.int64], what: str) -> Measurement:
    """Fleiss' kappa: agreement beyond chance of readers who all judged every case.

    Args:
        counts: (cases, answers), how many readers gave each answer; equal row sums.
        what: who read what, for the record.
    """
    readers = set(counts.sum(axis=1).tolist()) if counts.ndim == 2 else set()
    if len(readers) != 1 or min(readers) < 2:
        raise MetricError(
            "Cases that were all judged by the same number of readers, at least two, are wanted, "
            f"got {sorted(readers)} readers; leave out cases that somebody has not judged."
        )
    n = readers.pop()
    observed = float(((counts * (counts - 1)).sum(axis=1) / (n * (n - 1))).mean())
    shares = counts.sum(axis=0) / counts.sum()
    by_chance = float((shares**2).sum())
    kappa = float("nan") if by_chance == 1 else (observed - by_chance) / (1 - by_chance)
    return Measurement(
        "Fleiss' kappa", kappa, "1", None, what, len(counts), settings={"readers": n}
    )


def krippendorff_alpha(counts: npt.NDArray[np.int64], what: str) -> Measurement:
    """Krippendorff's alpha for nominal answers; readers may have left cases out.

    Args:
        counts: (cases, answers), how many readers gave each answer.
        what: who read what, for the record.
    """
    if counts.ndim != 2 or (counts < 0).any():
        raise MetricError(f"Counts (cases, answers) are wanted, got {counts.shape}.")
    judged = counts.sum(axis=1)
    pairable = counts[judged > 1]  # a case with one answer says nothing on agreement
    if len(pairable) == 0:
        raise MetricError("Cases judged by two readers or more are wanted, got none.")
    each = pairable.sum(axis=1, keepdims=True)
    same = float((pairable * (pairable - 1) / (each - 1)).sum())
    totals, n = pairable.sum(axis=0), float(pairable.sum())
    observed = 1 - same / n
    expected = 1 - float((totals * (totals - 1)).sum()) / (n * (n - 1))
    alpha = float("nan") if expected == 0 else 1 - observed / expected
    settings: dict[str, JSON] = {"level": "nominal", "answers": int(n)}
    return Measurement(
        "Krippendorff's alpha", alpha, "1", None, what, len(pairable), None, settings
    )
