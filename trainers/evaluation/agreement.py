"""Agreement of quantities (HU, SUV, volumes) between truth and output: Bland and Altman."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from trainers.evaluation.results import Kind, Pair
from trainers.evaluation.summary import ALL_LESIONS
from trainers.metrics.measurement import finite_or_none

NORMAL_95 = 1.96


class Plot(NamedTuple):
    """One Bland-Altman plot."""

    split: str
    group: str
    kind: Kind
    region: str
    quantity: str
    unit: str
    method: str


@dataclass(frozen=True)
class Agreement:
    """Bias and limits of agreement.

    Several cases or lesions of one patient are not independent: the limits are then too narrow.

    Attributes:
        plot: what it is about.
        n: pairs of values.
        patients: whom they come from.
        truth: mean of the true values.
        bias: mean of output - truth.
        deviation: standard deviation of output - truth; NaN below 2 pairs.
        low, high: bias -+ 1.96 deviations.
    """

    plot: Plot
    n: int
    patients: int
    truth: float
    bias: float
    deviation: float
    low: float
    high: float

    def to_json(self) -> dict[str, Any]:
        """A flat record; what is not finite becomes null."""
        record = self.plot._asdict() | {k: v for k, v in asdict(self).items() if k != "plot"}
        return {
            key: finite_or_none(value) if isinstance(value, float) else value
            for key, value in record.items()
        }


def plots(pairs: Sequence[Pair]) -> dict[Plot, list[Pair]]:
    """The pairs of every plot; those without two finite values are left out."""
    found: dict[Plot, list[Pair]] = {}
    for pair in pairs:
        place = pair.place
        region = ALL_LESIONS if place.kind == "lesion" else place.region
        where = (place.split, place.group, place.kind, region)
        plot = Plot(*where, pair.quantity, pair.unit, pair.method)
        if np.isfinite(pair.truth) and np.isfinite(pair.output):
            found.setdefault(plot, []).append(pair)
    return found


def agreements(pairs: Sequence[Pair]) -> list[Agreement]:
    """Bias and limits of every plot."""
    return [_agreement(plot, members) for plot, members in plots(pairs).items()]


def _agreement(plot: Plot, pairs: Sequence[Pair]) -> Agreement:
    differences = np.array([pair.output - pair.truth for pair in pairs])
    bias = float(differences.mean())
    deviation = float(differences.std(ddof=1)) if len(pairs) > 1 else float("nan")
    return Agreement(
        plot=plot,
        n=len(pairs),
        patients=len({pair.place.patient for pair in pairs}),
        truth=float(np.mean([pair.truth for pair in pairs])),
        bias=bias,
        deviation=deviation,
        low=bias - NORMAL_95 * deviation,
        high=bias + NORMAL_95 * deviation,
    )
