"""Measure cases: every method, in every region, one case in memory at a time."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

import numpy as np
import numpy.typing as npt

from trainers.evaluation.case import (
    OURS,
    Case,
    Evaluation,
    EvaluationError,
    Measure,
    Method,
    Quantity,
    Voxels,
)
from trainers.evaluation.results import Kind, Pair, Place, Results, Row
from trainers.metrics.measurement import Mask, Measurement, MetricError

KEPT = 4
"""Worst cases that are shown."""


@dataclass(frozen=True, eq=False)
class Exhibit:
    """One slice of one case, kept for its picture.

    Attributes:
        place: what it is of.
        measure: label of the headline measure.
        value: ours, in the whole case.
        value_unit: of the value.
        unit: of truth and outputs.
        slice_index: which slice: where our mean absolute error is largest.
        inputs: (rows, columns) by key.
        truth: (rows, columns).
        outputs: (rows, columns) by method.
        inside: (rows, columns), true where figures count.
    """

    place: Place
    measure: str
    value: float
    value_unit: str
    unit: str
    slice_index: int
    inputs: Mapping[str, Voxels]
    truth: Voxels
    outputs: Mapping[str, Voxels]
    inside: npt.NDArray[np.bool_]


class WorstCases:
    """The few cases in which our headline figure is worst; the others are let go."""

    def __init__(self, headline: Measure, kept: int = KEPT) -> None:
        self._headline = headline
        self._kept = kept
        self._heap: list[tuple[float, int, Exhibit]] = []
        self._order = count()

    def offer(self, case: Case, row: Row, outputs: Mapping[str, Voxels]) -> None:
        """Keep the case if it is among the worst so far."""
        value = row.measurement.value
        badness = value if self._headline.better == "lower" else -value
        if not np.isfinite(badness):
            return
        if len(self._heap) == self._kept and badness <= self._heap[0][0]:
            return
        entry = (badness, next(self._order), exhibit(case, row, outputs))
        heapq.heappush(self._heap, entry)
        if len(self._heap) > self._kept:
            heapq.heappop(self._heap)

    def worst_first(self) -> list[Exhibit]:
        """The cases that were kept."""
        return [kept for _, _, kept in sorted(self._heap, reverse=True)]


def measure_cases(
    evaluation: Evaluation,
    cases: Iterable[Case],
    methods: Mapping[str, Method],
    split: str,
    results: Results,
    worst: WorstCases,
) -> Iterator[Case]:
    """Measure case by case into `results`; yields each case when it is done.

    Raises:
        EvaluationError: an output does not lie on the truth's grid.
    """
    if OURS not in methods:
        raise EvaluationError(f"A method called {OURS!r} is wanted, got {', '.join(methods)}.")
    for case in cases:
        outputs = {name: _checked(case, name, method(case)) for name, method in methods.items()}
        for name, output in outputs.items():
            rows = list(_rows(evaluation, case, output, name, split))
            results.rows += rows
            results.pairs += _pairs(evaluation.quantities, case, output, name, split)
            if name == OURS and rows:
                worst.offer(case, rows[0], outputs)
        yield case


def _checked(case: Case, name: str, output: Voxels) -> Voxels:
    if output.shape != case.truth.voxels.shape:
        raise EvaluationError(
            f"{name!r} should give the truth's shape {case.truth.voxels.shape} for case "
            f"{case.name!r}, got {output.shape}."
        )
    return output


def regions(case: Case) -> Iterator[tuple[str, Mask, Kind]]:
    """Name, mask and kind of every region with a voxel: the whole, districts, lesions."""
    for place, (name, mask) in enumerate(case.masks.items()):
        if mask.voxels is None or mask.voxels.any():
            yield name, mask, "district" if place else "whole"
    for name, mask in case.lesions.items():
        if mask.voxels is None or mask.voxels.any():
            yield name, mask, "lesion"


def _rows(
    evaluation: Evaluation, case: Case, output: Voxels, method: str, split: str
) -> Iterator[Row]:
    for name, mask, kind in regions(case):
        place = _place(case, split, name, kind)
        for measure in _measures(evaluation, kind):
            yield Row(place, method, measure.label, _score(measure, case, output, mask, kind))


def _score(measure: Measure, case: Case, output: Voxels, mask: Mask, kind: Kind) -> Measurement:
    """The measurement; NaN with the reason where a district or lesion is too small for it."""
    try:
        return measure.score(case, output, mask)
    except MetricError as error:
        if kind == "whole":
            raise
        nothing = {"not defined": str(error)}
        return Measurement(
            measure.label, float("nan"), "1", None, mask.description, 0, settings=nothing
        )


def _measures(evaluation: Evaluation, kind: Kind) -> Sequence[Measure]:
    if kind == "lesion":
        return evaluation.lesion_measures
    return [m for m in evaluation.measures if kind == "whole" or m.regions == "all"]


def _pairs(
    quantities: Sequence[Quantity], case: Case, output: Voxels, method: str, split: str
) -> Iterator[Pair]:
    made = replace(case.truth, voxels=np.asarray(output, dtype=np.float32))
    for name, mask, kind in regions(case):
        place = _place(case, split, name, kind)
        for quantity in quantities:
            values = (quantity.value(case.truth, mask), quantity.value(made, mask))
            yield Pair(place, method, quantity.label, quantity.unit, *values)


def _place(case: Case, split: str, region: str, kind: Kind) -> Place:
    return Place(split, case.group, case.data, case.patient, case.name, region, kind)


def exhibit(case: Case, row: Row, outputs: Mapping[str, Voxels]) -> Exhibit:
    """The slice in which our mean absolute error in the whole is largest."""
    inside = case.masks[case.whole].inside(case.truth.voxels)
    error = np.where(inside, np.abs(outputs[OURS] - case.truth.voxels), 0)
    voxels = inside.sum((1, 2))
    enough = voxels >= voxels.max() / 2  # a slice with three voxels shows nothing
    means = np.where(enough, error.sum((1, 2)) / np.maximum(voxels, 1), -1)
    index = int(means.argmax())
    inputs = {
        key: volume.voxels[index].copy()
        for key, volume in case.inputs.items()
        if volume.voxels.shape == inside.shape
    }
    return Exhibit(
        row.place,
        row.measure,
        row.measurement.value,
        row.measurement.unit,
        case.truth.unit,
        index,
        inputs,
        case.truth.voxels[index].copy(),
        {name: output[index].copy() for name, output in outputs.items()},
        inside[index].copy(),
    )
