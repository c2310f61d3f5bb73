"""Ours against each baseline, patient by patient: Wilcoxon's signed-rank test, Holm-corrected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from scipy.stats import wilcoxon

from trainers.evaluation.case import OURS, Measure
from trainers.evaluation.results import Row
from trainers.evaluation.summary import Cell, by_patient
from trainers.metrics.measurement import Floats, finite_or_none

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class PairedTest:
    """Whether ours differs from a baseline.

    Attributes:
        cell: which figure, where.
        baseline: the other method.
        n: patients with both figures.
        better: patients in whom ours is better.
        gain: median over patients of how much better ours is, in the figure's unit; below 0 where
            it is worse.
        p: two-sided p of Wilcoxon's signed-rank test; NaN where there are no pairs.
        p_holm: the same after Holm's correction over all tests of the split and group.
        smallest_p: what n patients can give at best: with 5 no p is below 0.0625.
    """

    cell: Cell
    baseline: str
    n: int
    better: int
    gain: float
    p: float
    p_holm: float
    smallest_p: float

    def to_json(self) -> dict[str, Any]:
        """A flat record; what is not finite becomes null."""
        record = self.cell._asdict() | {k: v for k, v in asdict(self).items() if k != "cell"}
        return {
            key: finite_or_none(value) if isinstance(value, float) else value
            for key, value in record.items()
        }


def paired_tests(rows: Sequence[Row], measures: Sequence[Measure]) -> list[PairedTest]:
    """A test for each cell and baseline, corrected within each split and group.

    Args:
        rows: every measurement.
        measures: say which values are better.
    """
    return tests_of(rows, {measure.label: measure.better for measure in measures})


def tests_of(rows: Sequence[Row], directions: Mapping[str, str]) -> list[PairedTest]:
    """The same where only `lower` or `higher` is known of each measure, by its label."""
    found = list(_tests(rows, directions))
    families: dict[tuple[str, str], list[int]] = {}
    for place, test in enumerate(found):
        families.setdefault((test.cell.split, test.cell.group), []).append(place)
    for members in families.values():
        corrected = holm(np.array([found[place].p for place in members]))
        for place, p in zip(members, corrected, strict=True):
            found[place] = replace(found[place], p_holm=float(p))
    return found


def _tests(rows: Sequence[Row], directions: Mapping[str, str]) -> Iterator[PairedTest]:
    for cell, methods in by_patient(rows).items():
        ours = methods.get(OURS, {})
        sign = -1 if directions[cell.measure] == "lower" else 1
        for name, other in methods.items():
            if name == OURS:
                continue
            both = [patient for patient in ours if patient in other]
            gains = np.array([sign * (ours[one] - other[one]) for one in both])
            yield _test(cell, name, gains)


def _test(cell: Cell, baseline: str, gains: Floats) -> PairedTest:
    return PairedTest(
        cell=cell,
        baseline=baseline,
        n=gains.size,
        better=int((gains > 0).sum()),
        gain=float(np.median(gains)) if gains.size else float("nan"),
        p=signed_rank_p(gains),
        p_holm=float("nan"),
        smallest_p=min(1.0, 2.0 ** (1 - gains.size)),
    )


def signed_rank_p(differences: Floats) -> float:
    """Two-sided p that `differences` (n,) are symmetric about 0; 1 where all are 0."""
    if not differences.size:
        return float("nan")
    if not differences.any():
        return 1.0
    return float(wilcoxon(differences).pvalue)


def holm(p: Floats) -> Floats:
    """Holm's step-down correction of `p` (n,); NaN stays NaN and does not count."""
    corrected = np.full(p.shape, np.nan)
    real = np.flatnonzero(np.isfinite(p))
    order = real[np.argsort(p[real])]
    steps = p[order] * np.arange(order.size, 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1) if order.size else steps
    return corrected
