"""The pipeline: a CT in, synthetic FDG PET (SUVbw) out, with districts and quality record.

The CT is read once, slice by slice, into cubes of 4 mm; body, districts and uptake are worked out
there; the result is interpolated onto the CT's slices one by one.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from pipelines import catalog
from pipelines.contract import (
    Companion,
    Progress,
    QualityRecord,
    Slice,
    SliceSource,
    Translation,
)
from pipelines.ct_to_pet import quality
from pipelines.ct_to_pet.districts import Districts
from pipelines.ct_to_pet.grid import WorkingGrid
from pipelines.ct_to_pet.input_distance import Calibration, read_calibration
from pipelines.ct_to_pet.network import quantities
from pipelines.ct_to_pet.uptake import Uptake, UptakeModel
from pipelines.ct_to_pet.weights import read_networks
from pipelines.inputs import checked_slices
from pipelines.recording import AfterLastSlice
from pipelines.scanner import Scanner

NAME = "ct_to_pet"
INPUT = "CT"
DISTRICTS = "districts"
"""Name of the companion that holds the labels of the districts."""

READ, TRANSLATED = 0.15, 0.9
"""Shares of the time after which the CT is read, and the networks are done."""


def load(device: str = "auto", threads: int = 0) -> CtToPet:
    """Load the weights that the card names into the engine that suits the device."""
    card = catalog.card(NAME)
    _, content = catalog.verified_weights(catalog.weights_path(NAME), card.weights.sha256)
    model = UptakeModel(read_networks(content), device, threads)
    return CtToPet(card, model, read_calibration(catalog.folder(NAME)))


@dataclass(frozen=True, eq=False)
class CtToPet(Scanner):
    """Guesses FDG uptake from CT, of any coverage.

    Attributes:
        model: the networks and their engines.
        calibration: what the model's inputs look like.
    """

    model: UptakeModel
    calibration: Calibration

    def start(
        self, sources: Mapping[str, SliceSource], values: Mapping[str, float], progress: Progress
    ) -> Translation:
        """Start to translate `{"CT": source}`."""
        source = sources[INPUT]
        run = _Run(self, source, WorkingGrid.of(source.shape, source.affine), values, progress)
        return Translation(run.slices(), run.record, run.companions)


class _Run:
    """One translation under way."""

    def __init__(
        self,
        pipeline: CtToPet,
        source: SliceSource,
        grid: WorkingGrid,
        values: Mapping[str, float],
        progress: Progress,
    ) -> None:
        self._pipeline = pipeline
        self._source = source
        self._grid = grid
        self._values = values
        self._progress = progress
        self.record: AfterLastSlice[QualityRecord] = AfterLastSlice("The quality record")
        self._districts: AfterLastSlice[Districts] = AfterLastSlice("The districts")

    def slices(self) -> Generator[Slice, None, None]:
        """The PET on the CT's slices; record and districts are there before the last one."""
        averages = self._grid.averaged(quantities(image) for image in self._read())
        made = self._pipeline.model.uptake(averages, self._values, self._telling(READ, TRANSLATED))
        self.record.set(self._judged(made))
        districts = self._grid.to_source(made.districts.astype(np.float32))
        self._districts.set(districts.astype(np.uint8))
        suv = self._grid.to_source(made.suv)
        total, tell = self._source.shape[0], self._telling(TRANSLATED, 1)
        for index in range(total):
            tell(index + 1, total)
            yield self._grid.slice_of(suv, index)

    def companions(self) -> Mapping[str, Companion]:
        """The districts on the grid of the CT: (slices, rows, columns) uint8."""
        places = [matrix.argmax(axis=1) for matrix in self._grid.interpolating]
        return {DISTRICTS: self._districts()[np.ix_(*places)]}

    def _read(self) -> Iterator[Slice]:
        """The slices of the CT."""
        tell = self._telling(0, READ)
        for index, image in enumerate(checked_slices(self._source)):
            tell(index + 1, self._source.shape[0])
            yield image

    def _telling(self, begin: float, end: float) -> Progress:
        """Progress of a part of the work, as so many slices of all."""
        slices = self._source.shape[0]

        def tell(done: int, total: int) -> None:
            share = begin + (end - begin) * done / max(total, 1)
            self._progress(round(share * slices), slices)

        return tell

    def _judged(self, made: Uptake) -> QualityRecord:
        pipeline, calibration = self._pipeline, self._pipeline.calibration
        measured = quality.measurements(made.judged, calibration)
        features = made.judged.features
        distance = calibration.red * 2 if features is None else calibration.distance(features)
        light, reasons = quality.verdict(made.judged, measured, distance, calibration)
        return QualityRecord(
            verdict=light,
            reasons=reasons,
            input_distance=round(distance, 4),
            measurements=measured,
            parameters=dict(self._values),
            model=pipeline.card.identity(calibration.sha256) | {"districts": made.segmenter},
            engine=pipeline.model.facts,
            slices=self._source.shape[0],
        )
