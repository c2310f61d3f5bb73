"""The pipeline: a low-dose CT in, the denoised CT out, slice by slice, with its quality record."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING

import safetensors.torch

from dicom_profiles.volume import Volume
from pipelines import catalog
from pipelines.card import ModelCard
from pipelines.contract import (
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
from pipelines.engines.choose import choose_engine
from pipelines.engines.engine import Engine, Slab, read_ahead, slabs
from pipelines.errors import InputError, WeightsError
from pipelines.in_memory import translated
from pipelines.inputs import checked_slices, only_input
from pipelines.ldct_denoise import gate as gates
from pipelines.ldct_denoise.network import CONTEXT, DenoisingNetwork
from pipelines.ldct_denoise.quality import Calibration, QualityMeter, read_calibration
from pipelines.ldct_denoise.strength import blend, effective_strength
from pipelines.recording import AfterLastSlice, recorded

if TYPE_CHECKING:
    from dicom_profiles.source import Source

NAME = "ldct_denoise"
INPUT, INPUT_UNIT = "CT", "HU"

SLABS_AHEAD = 4
"""Slabs that a thread reads and decodes while the network runs."""

BATCH_PIXELS = 512 * 512
"""An engine's batch is meant for slices of this size; of larger ones it takes fewer."""


def load(device: str = "auto", threads: int = 0) -> LowDoseCtDenoising:
    """Load the weights that the card names into the engine that suits the device."""
    card = catalog.card(NAME)
    network = DenoisingNetwork()
    _, content = catalog.verified_weights(catalog.weights_path(NAME), card.weights.sha256)
    try:
        network.load_state_dict(safetensors.torch.load(content))
    except (RuntimeError, safetensors.SafetensorError) as error:
        raise WeightsError(f"The weights do not fit the network: {error}") from error
    engine = choose_engine(network, CONTEXT, device, threads)
    return LowDoseCtDenoising(card, engine, read_calibration(catalog.folder(NAME)))


class LowDoseCtDenoising:
    """Denoises low-dose CT; see `pipelines.contract.Pipeline`.

    Args:
        card: the model card.
        engine: runs the network.
        calibration: what the model's inputs look like, and the limits of quality.
    """

    def __init__(self, card: ModelCard, engine: Engine, calibration: Calibration) -> None:
        self.card = card
        self.engine = engine
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
        """Start to denoise `{"CT": source}`; work happens while the slices are taken."""
        source = only_input(inputs, INPUT, INPUT_UNIT, self.card.name)
        if 0 in source.shape:
            raise InputError(f"The CT should hold slices, rows and columns, got {source.shape}.")
        run = _Run(self, source, self.card.parameters_from(parameters), progress)
        return Translation(run.slices(), run.record)

    def __call__(
        self, inputs: Mapping[str, Volume], parameters: Parameters | None = None
    ) -> Result:
        """Denoise `{"CT": volume}` in memory."""
        grid = only_input(inputs, INPUT, INPUT_UNIT, self.card.name)
        return translated(self, inputs, grid, parameters)

    def pairs(self, source: SliceSource) -> Generator[tuple[Slice, Slice], None, None]:
        """Every slice before and after, in order; a thread reads ahead of the network."""
        under_way: deque[Slab] = deque()

        def noted(read: Iterator[Slab]) -> Iterator[Slab]:
            for slab in read:
                under_way.append(slab[CONTEXT:-CONTEXT])
                yield slab

        size = source.shape[1] * source.shape[2]
        batch = max(1, self.engine.batch * BATCH_PIXELS // max(size, BATCH_PIXELS))
        ready = read_ahead(slabs(checked_slices(source), CONTEXT, batch), SLABS_AHEAD)
        with closing(ready), closing(self.engine.run(noted(ready))) as batches:
            for outputs in batches:
                yield from zip(under_way.popleft(), outputs, strict=True)

    def record(
        self, meter: QualityMeter, values: Mapping[str, float], slices: int
    ) -> QualityRecord:
        """The quality record of a series that has gone through."""
        model = self.card.identity(self.calibration.sha256)
        return recorded(meter, values, model, self.engine.facts, slices)


class _Run:
    """One translation under way."""

    def __init__(
        self,
        pipeline: LowDoseCtDenoising,
        source: SliceSource,
        values: Mapping[str, float],
        progress: Progress,
    ) -> None:
        self._pipeline = pipeline
        self._source = source
        self._values = values
        self._progress = progress
        self.record: AfterLastSlice[QualityRecord] = AfterLastSlice("The quality record")

    def slices(self) -> Generator[Slice, None, None]:
        """The denoised slices; the record is there before the last one is handed out."""
        total = self._source.shape[0]
        meter = QualityMeter(total, self._pipeline.calibration)
        strength = effective_strength(self._values["strength"], self._values["dose_share"])
        with closing(self._pipeline.pairs(self._source)) as pairs:
            for done, (before, after) in enumerate(pairs, start=1):
                blended = blend(before, after, strength)
                meter.add(before, blended)
                if done == total:
                    self.record.set(self._pipeline.record(meter, self._values, total))
                self._progress(done, total)
                yield blended
