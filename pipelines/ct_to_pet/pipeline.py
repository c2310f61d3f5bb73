"""The pipeline: a CT in, synthetic FDG PET (SUVbw) out, with districts and quality record.

The CT is read once, slice by slice, into cubes of 4 mm; body, districts and uptake are worked out
there; the result is interpolated onto the CT's slices one by one.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from dicom_profiles.volume import Volume
from pipelines import catalog
from pipelines.card import ModelCard
from pipelines.contract import (
    Companion,
    GateVerdict,
    Parameters,
    Progress,
    QualityRecord,
    Result,
    Slice,
    SliceSource,
    Translation,
    no_progress,
)
from pipelines.ct_to_pet import gate as gates
from pipelines.ct_to_pet import quality
from pipelines.ct_to_pet.districts import Districts
from pipelines.ct_to_pet.grid import WorkingGrid
from pipelines.ct_to_pet.input_distance import Calibration, read_calibration
from pipelines.ct_to_pet.network import quantities
from pipelines.ct_to_pet.uptake import Uptake, UptakeModel
from pipelines.ct_to_pet.weights import read_networks
from pipelines.in_memory import translated
from pipelines.inputs import checked_slices, only_input
from pipelines.recording import AfterLastSlice

if TYPE_CHECKING:
    from dicom_profiles.source import Source

NAME = "ct_to_pet"
INPUT, INPUT_UNIT = "CT", "HU"
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


class CtToPet:
    """Guesses FDG uptake from CT; see `pipelines.contract.Pipeline`.

    Args:
        card: the model card.
        model: the networks and their engines.
        calibration: what the model's inputs look like.
    """

    def __init__(self, card: ModelCard, model: UptakeModel, calibration: Calibration) -> None:
        self.card = card
        self.model = model
        self.calibration = calibration

    def gate(self, inputs: Mapping[str, Source]) -> GateVerdict:
        """Whether the series is in the model's scope, from its headers alone."""
        return gates.gate(inputs, self.card)

    def translate(
        self,
        inputs: Mapping[str, SliceSource],
        parameters: Parameters | None = None,
        progress: Progress = no_progress,
    ) -> Translation:
        """Start to translate `{"CT": source}`; work happens while the slices are taken."""
        source = only_input(inputs, INPUT, INPUT_UNIT, self.card.name)
        grid = WorkingGrid.of(source.shape, source.affine)
        run = _Run(self, source, grid, self.card.parameters_from(parameters), progress)
        return Translation(run.slices(), run.record, run.companions)

    def __call__(
        self, inputs: Mapping[str, Volume], parameters: Parameters | None = None
    ) -> Result:
        """Translate `{"CT": volume}` in memory; any coverage will do."""
        grid = only_input(inputs, INPUT, INPUT_UNIT, self.card.name)
        return translated(self, inputs, grid, parameters)


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
