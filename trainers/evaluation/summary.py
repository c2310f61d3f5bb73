"""Means over patients: cases of one patient are averaged first, so that nobody counts twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from trainers.evaluation.results import Kind, Row
from trainers.metrics.measurement import Floats, finite_or_none

RESAMPLES = 2000
"""Of the patients, for the confidence interval of the mean."""

ALL_LESIONS = "all lesions"


class Cell(NamedTuple):
    """What one line of a table is about; figures of two groups are never averaged together."""

    split: str
    group: str
    kind: Kind
    region: str
    measure: str


@dataclass(frozen=True)
class Summary:
    """One method's figure over patients.

    Attributes:
        cell: what it is about.
        method: whose.
        unit: of the figures.
        data_range: the values that counted, as in JSON; none for metrics without.
        masks: which voxels counted, in words.
        n: patients.
        cases: cases or lesions.
        left_out: cases whose figure is not defined or infinite.
        mean, deviation, median: over patients.
        low, high: 95 % confidence interval of the mean (bootstrap over patients); NaN below 3.
    """

    cell: Cell
    method: str
    unit: str
    data_range: Any
    masks: tuple[str, ...]
    n: int
    cases: int
    left_out: int
    mean: float
    deviation: float
    median: float
    low: float
    high: float

    def to_json(self) -> dict[str, Any]:
        """A flat record; what is not finite becomes null."""
        record = self.cell._asdict() | {k: v for k, v in asdict(self).items() if k != "cell"}
        return {
            key: finite_or_none(value) if isinstance(value, float) else value
            for key, value in record.items()
        }


Table = Mapping[Cell, Mapping[str, Mapping[str, float]]]
"""Cell to method to patient to that patient's mean."""


def cell_of(row: Row) -> Cell:
    """The line that a measurement belongs to; all lesions share one."""
    place = row.place
    region = ALL_LESIONS if place.kind == "lesion" else place.region
    return Cell(place.split, place.group, place.kind, region, row.measure)


def by_patient(rows: Iterable[Row]) -> Table:
    """Every patient's mean; figures that are not finite are left out."""
    found: dict[Cell, dict[str, dict[str, list[float]]]] = {}
    for row in rows:
        patients = found.setdefault(cell_of(row), {}).setdefault(row.method, {})
        if np.isfinite(row.measurement.value):
            patients.setdefault(row.place.patient, []).append(row.measurement.value)
    return {
        cell: {
            method: {patient: float(np.mean(values)) for patient, values in patients.items()}
            for method, patients in methods.items()
        }
        for cell, methods in found.items()
    }


def summaries(rows: Sequence[Row]) -> list[Summary]:
    """A line for each cell and method, in the order in which they were measured."""
    grouped: dict[tuple[Cell, str], list[Row]] = {}
    for row in rows:
        grouped.setdefault((cell_of(row), row.method), []).append(row)
    table = by_patient(rows)
    return [
        _summary(cell, method, members, list(table[cell][method].values()))
        for (cell, method), members in grouped.items()
    ]


def _summary(cell: Cell, method: str, rows: Sequence[Row], values: Sequence[float]) -> Summary:
    numbers = np.asarray(values, dtype=np.float64)
    defined = [row.measurement for row in rows if np.isfinite(row.measurement.value)]
    first = defined[0] if defined else rows[0].measurement
    low, high = interval_of_mean(numbers)
    some = numbers.size > 0
    return Summary(
        cell=cell,
        method=method,
        unit=first.unit,
        data_range=first.to_json()["data_range"],
        masks=tuple(dict.fromkeys(row.measurement.mask for row in rows))[:3],
        n=numbers.size,
        cases=len(defined),
        left_out=len(rows) - len(defined),
        mean=float(numbers.mean()) if some else float("nan"),
        deviation=float(numbers.std(ddof=1)) if numbers.size > 1 else float("nan"),
        median=float(np.median(numbers)) if some else float("nan"),
        low=low,
        high=high,
    )


def interval_of_mean(values: Floats, seed: int = 0) -> tuple[float, float]:
    """95 % bootstrap percentile interval of the mean of `values` (n,); NaN below 3 values."""
    if values.size < 3:
        return float("nan"), float("nan")
    source = np.random.default_rng(seed)
    means = source.choice(values, (RESAMPLES, values.size)).mean(1)
    low, high = np.percentile(means, (2.5, 97.5))
    return float(low), float(high)
