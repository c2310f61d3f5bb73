"""Ten axial layers: which part of the body a slice shows, so that like is compared with like.

The protocol of the MR-to-CT paper (arXiv 2407.10888) has people sort slices into ten layers by the
organs that they see. A table of such a reading is taken as it is; without one we sort by the
lungs, the one landmark that Hounsfield units show by themselves: in the paper lungs are in layers
9 and 10. Below their base there are eight layers of 25 mm, down to about the crest of the hip bone,
above it two. What lies beyond is in no layer, so that a series' extent does not matter, as long as
the base is within it. Both this rule and its limits are ours.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_fill_holes, label

from trainers.evaluation.case import EvaluationError

LAYERS = 10
BELOW_LUNGS = 8
LAYER_MM = 25.0
BODY_HU = -400.0
LUNG_HU = (-1000.0, -500.0)
LUNG_SHARE = 0.08
"""Share of the body's area in a slice that lung takes at least; gas in a bowel takes less."""
IN_A_ROW = 3
"""Slices in a row with lung: one alone is gas."""

Slices = npt.NDArray[np.floating]
Layer = npt.NDArray[np.intp]
"""(slices,) layer of each slice, 1 nearest the feet, 0 for none."""

Table = Mapping[str, list[tuple[int, int, int]]]
"""Series to (layer, first slice, last slice); slices count from 1 at the feet."""


def lung_share(slices: Slices) -> npt.NDArray[np.float64]:
    """Share (slices,) of the body's area that is lung in slices (n, rows, columns) of HU."""
    return np.array([_lung_share(image) for image in slices])


def _lung_share(image: Slices) -> float:
    parts, count = label(image > BODY_HU)
    if not count:
        return 0.0
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    body = binary_fill_holes(parts == sizes.argmax())
    lung = body & (image > LUNG_HU[0]) & (image < LUNG_HU[1])
    return float(lung.sum() / body.sum())


def lung_base(slices: Slices) -> int | None:
    """The lowest slice from which on lung is seen; none where it is not."""
    seen = lung_share(slices) >= LUNG_SHARE
    for place in range(len(seen) - IN_A_ROW + 1):
        if seen[place : place + IN_A_ROW].all():
            return place
    return None


def by_lungs(series: str, slices: Slices, spacing_mm: float) -> Layer:
    """Eight layers of 25 mm below the base of the lungs, two above.

    Args:
        series: its name, for the sentence when no lung is found.
        slices: (n, rows, columns), HU, from the feet upwards.
        spacing_mm: distance between slices.

    Raises:
        EvaluationError: no lung is seen, or in the lowest slice already.
    """
    base = lung_base(slices)
    if not base:
        seen = "none is seen" if base is None else "the lowest slice already shows them"
        raise EvaluationError(
            f"Layers by lungs want a series with the base of the lungs, but in {series} {seen}; "
            "give a table of layers, or --layers equal."
        )
    above = np.floor((np.arange(len(slices)) - base) * spacing_mm / LAYER_MM + 1e-4)
    layers = (BELOW_LUNGS + 1 + above).astype(np.intp)
    return np.where((layers >= 1) & (layers <= LAYERS), layers, 0)


def equal(count: int) -> Layer:
    """`count` slices in layers of equal thickness, 1 at the feet."""
    return 1 + np.arange(count) * LAYERS // max(count, 1)


def read_table(path: Path) -> Table:
    """A reading by people: a CSV file with the columns series, layer, first, last.

    Raises:
        EvaluationError: there is no such file, or something else is in it.
    """
    if not path.is_file():
        raise EvaluationError(f"--layers is lungs, equal or a CSV file, got {path}.")
    wanted = {"series", "layer", "first", "last"}
    with path.open(newline="", encoding="utf-8-sig") as file:  # as spreadsheets write it
        reader = csv.DictReader(file)
        if not wanted <= set(reader.fieldnames or ()):
            raise EvaluationError(
                f"{path.name} wants the columns {', '.join(sorted(wanted))}, got "
                f"{', '.join(reader.fieldnames or ()) or 'none'}."
            )
        found: dict[str, list[tuple[int, int, int]]] = {}
        for line in reader:
            numbers = [line[name] for name in ("layer", "first", "last")]
            try:
                layer, first, last = map(int, numbers)
            except (TypeError, ValueError) as error:
                raise EvaluationError(
                    f"{path.name} wants whole numbers as layer, first and last, line "
                    f"{reader.line_num} has {', '.join(str(one or 'none') for one in numbers)}."
                ) from error
            found.setdefault(line["series"], []).append((layer, first, last))
    return found


def by_table(series: str, count: int, table: Table) -> Layer:
    """The layers that a reading gives a series of `count` slices.

    Raises:
        EvaluationError: the series is not in the table, or a line does not fit it.
    """
    if series not in table:
        raise EvaluationError(f"The table of layers has no line for {series}; add its layers.")
    layers = np.zeros(count, dtype=np.intp)
    for layer, first, last in table[series]:
        if not (1 <= layer <= LAYERS and 1 <= first <= last <= count):
            raise EvaluationError(
                f"{series} wants layers 1 to {LAYERS} and slices 1 to {count}, got layer {layer} "
                f"from {first} to {last}."
            )
        layers[first - 1 : last] = layer
    return layers
