"""The figures of an evaluation as rows: what the JSON holds, and what every table is made of."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from trainers.metrics.measurement import DataRange, Measurement, finite_or_none

SPLITS = ("test", "validation", "train")
"""Sides of a split; figures of `test` are the ones to quote."""

Kind = Literal["whole", "district", "lesion"]


@dataclass(frozen=True)
class Place:
    """What a figure is of.

    Attributes:
        split: side of the split.
        group: kind of case.
        data: data set.
        patient: cases of one patient count as one.
        case: name of the case.
        region: name of the region or lesion.
        kind: what sort of region.
    """

    split: str
    group: str
    data: str
    patient: str
    case: str
    region: str
    kind: Kind


@dataclass(frozen=True)
class Row:
    """One measurement of one method in one place.

    Attributes:
        place: what it is of.
        method: whose output.
        measure: label of the measure.
        measurement: the figure with its range, mask and n.
    """

    place: Place
    method: str
    measure: str
    measurement: Measurement

    def to_json(self) -> dict[str, Any]:
        """A flat record."""
        names = {"method": self.method, "measure": self.measure}
        return asdict(self.place) | names | self.measurement.to_json()


@dataclass(frozen=True)
class Pair:
    """One quantity read off the truth and off one method's output.

    Attributes:
        place: what it is of.
        method: whose output.
        quantity: label of the quantity.
        unit: of both values.
        truth: value in the truth; NaN where it has none.
        output: value in the output.
    """

    place: Place
    method: str
    quantity: str
    unit: str
    truth: float
    output: float

    def to_json(self) -> dict[str, Any]:
        """A flat record."""
        return asdict(self.place) | {
            "method": self.method,
            "quantity": self.quantity,
            "unit": self.unit,
            "truth": finite_or_none(self.truth),
            "output": finite_or_none(self.output),
        }


@dataclass
class Results:
    """Everything that was measured.

    Attributes:
        facts: pipeline, model, digest, what was asked for.
        rows: every measurement.
        pairs: every quantity.
    """

    facts: Mapping[str, Any]
    rows: list[Row] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Facts and figures; tables that follow from them are added by the command."""
        return dict(self.facts) | {
            "measurements": [row.to_json() for row in self.rows],
            "quantities": [pair.to_json() for pair in self.pairs],
        }


def read_results(path: Path) -> Results:
    """Figures of an earlier run, to make its report or fill the card again."""
    whole = json.loads(path.read_text(encoding="utf-8"))
    facts = {k: v for k, v in whole.items() if k not in ("measurements", "quantities")}
    rows = [_row(record) for record in whole["measurements"]]
    pairs = [_pair(record) for record in whole["quantities"]]
    return Results(facts, rows, pairs)


def _row(record: Mapping[str, Any]) -> Row:
    ends = record["data_range"]
    measurement = Measurement(
        record["name"],
        _number(record["value"]),
        record["unit"],
        None if ends is None else _data_range(ends),
        record["mask"],
        record["n"],
        record["spread"],
        record["settings"],
    )
    return Row(_place(record), record["method"], record["measure"], measurement)


def _pair(record: Mapping[str, Any]) -> Pair:
    values = (_number(record["truth"]), _number(record["output"]))
    return Pair(_place(record), record["method"], record["quantity"], record["unit"], *values)


def _place(record: Mapping[str, Any]) -> Place:
    return Place(**{name: record[name] for name in Place.__dataclass_fields__})


def _data_range(ends: Sequence[Any]) -> DataRange:
    low, high, unit = ends
    return DataRange(-float("inf") if low is None else low, _end(high), unit)


def _end(high: float | None) -> float:
    return float("inf") if high is None else high


def _number(value: float | None) -> float:
    """JSON has no NaN and no infinity: neither counts, so both come back as NaN."""
    return float("nan") if value is None else value
