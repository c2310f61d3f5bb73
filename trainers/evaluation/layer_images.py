"""Series sorted into layers: what the ten-layer protocol compares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from skimage.transform import resize

from trainers.evaluation.case import EvaluationError
from trainers.evaluation.layers import Layer, by_lungs, by_table, equal, read_table
from trainers.evaluation.ldct_denoise_cases import read
from trainers.metrics.measurement import Floats
from trainers.readers.series import TrainingSeries


@dataclass(frozen=True, eq=False)
class LayerImages:
    """Images of one set, sorted into layers.

    Attributes:
        images: layer to (n, rows, columns), HU.
        patients: layer to the patient of each image.
    """

    images: Mapping[int, Floats]
    patients: Mapping[int, Sequence[str]]


def read_set(places: Sequence[str], how: str, size: int) -> LayerImages:
    """All series of some places, resized and sorted into layers.

    Raises:
        EvaluationError: two places without `NAME=` give a patient of one name.
    """
    images: dict[int, list[Floats]] = {}
    patients: dict[int, list[str]] = {}
    for series in with_names_of_their_own(places):
        for image, layer in zip(series.slices, layers_of(series, how), strict=True):
            if not layer:
                continue
            small = resize(image, (size, size), order=1, anti_aliasing=True, preserve_range=True)
            images.setdefault(int(layer), []).append(small)
            patients.setdefault(int(layer), []).append(series.patient)
    return LayerImages({layer: np.stack(found) for layer, found in images.items()}, patients)


def with_names_of_their_own(places: Sequence[str]) -> Iterator[TrainingSeries]:
    """The series of all places; a patient is in one place, unless a person says that it is he.

    Halves of the real images are made by patient: two of one name would count as one.
    """
    known: dict[str, str] = {}
    for place in places:
        for series in read_place(place):
            if known.setdefault(series.patient, place) != place and "=" not in place:
                raise EvaluationError(
                    f"A patient is wanted in one place, {series.patient!r} is in two: write NAME= "
                    "before each, the same name where it is the same patient."
                )
            yield series


def read_place(place: str) -> Iterator[TrainingSeries]:
    """One series, or every NIfTI file of a folder."""
    files = sorted(Path(place).glob("*.nii*")) if Path(place).is_dir() else []
    yield from (read(str(file)) for file in files) if files else [read(place)]


def layers_of(series: TrainingSeries, how: str) -> Layer:
    """The layer of every slice: by lungs, equal, or a table's."""
    if how == "lungs":
        return by_lungs(series.name, series.slices, series.slice_spacing_mm)
    if how == "equal":
        return equal(len(series.slices))
    return by_table(series.name, len(series.slices), read_table(Path(how)))
