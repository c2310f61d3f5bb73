"""The pipeline: a low-energy mammogram in, the virtual recombined image out, at its own size."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import safetensors
import safetensors.torch

from dicom_profiles.volume import Volume
from pipelines import catalog
from pipelines.card import ModelCard
from pipelines.cesm_vce import gate as gates
from pipelines.cesm_vce.carry import carried
from pipelines.cesm_vce.framing import SIZE, Framed, Plane, framed
from pipelines.cesm_vce.generators import Generator as Network
from pipelines.cesm_vce.network import build
from pipelines.cesm_vce.quality import Calibration, QualityMeter, read_calibration
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
from pipelines.engines.choose import Trial, choose_engine
from pipelines.engines.engine import Engine
from pipelines.errors import InputError, WeightsError
from pipelines.in_memory import translated
from pipelines.inputs import checked_slices, only_input
from pipelines.recording import AfterLastSlice, recorded

if TYPE_CHECKING:
    from dicom_profiles.source import Source

NAME = "cesm_vce"
INPUT, INPUT_UNIT = "LE", "1"

GENERATOR = "generator"
"""Key in the metadata of the weights: which network they are of."""

CPU_TOLERANCE, GPU_TOLERANCE = 1e-3, 0.02
"""Of an engine, in display values 0 to 1; one step of the 12-bit output is 0.00024."""


def load(device: str = "auto", threads: int = 0) -> VirtualContrast:
    """Load the weights that the card names into the engine that suits the device."""
    card = catalog.card(NAME)
    _, content = catalog.verified_weights(catalog.weights_path(NAME), card.weights.sha256)
    network = network_of(content)
    trial = Trial(_trial_image()[None], CPU_TOLERANCE, GPU_TOLERANCE, "of the display range")
    engine = choose_engine(network, 0, device, threads, trial)
    return VirtualContrast(card, engine, read_calibration(catalog.folder(NAME)))


def network_of(weights: bytes) -> Network:
    """The network that the weights name, with these weights, in fp32.

    Raises:
        WeightsError: no network is named, or they do not fit it.
    """
    try:
        tensors = safetensors.torch.load(weights)
        # safetensors: eight bytes with the size of the header, then the header as JSON
        header = json.loads(weights[8 : 8 + int.from_bytes(weights[:8], "little")])
        network = build(header.get("__metadata__", {}).get(GENERATOR, ""))
        network.load_state_dict({key: value.float() for key, value in tensors.items()})
    except (RuntimeError, ValueError, safetensors.SafetensorError) as error:
        raise WeightsError(f"The weights do not fit the network: {error}") from error
    return network


class VirtualContrast:
    """Predicts contrast enhancement; see `pipelines.contract.Pipeline`.

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
        """Whether the mammogram is in the model's scope, from its header alone."""
        return gates.gate(inputs, self.card)

    def translate(
        self,
        inputs: Mapping[str, SliceSource],
        parameters: Parameters | None = None,
        progress: Progress = no_progress,
    ) -> Translation:
        """Start to translate `{"LE": source}`; each of its images is a mammogram of its own."""
        source = only_input(inputs, INPUT, INPUT_UNIT, self.card.name)
        if 0 in source.shape:
            raise InputError(f"The mammogram should hold rows and columns, got {source.shape}.")
        run = _Run(self, source, self.card.parameters_from(parameters), progress)
        return Translation(run.images(), run.record)

    def __call__(
        self, inputs: Mapping[str, Volume], parameters: Parameters | None = None
    ) -> Result:
        """Translate `{"LE": volume}` in memory; its values are grey values, bright is dense."""
        grid = only_input(inputs, INPUT, INPUT_UNIT, self.card.name)
        return translated(self, inputs, grid, parameters)

    def both_answers(self, around: Framed) -> tuple[Plane, Plane]:
        """What the network makes of a framed mammogram, as it is and mirrored (and back)."""
        slabs = (around.seen[None], np.ascontiguousarray(around.seen[None, :, ::-1]))
        with closing(self.engine.run(iter(slabs))) as batches:
            made, mirrored = (np.asarray(batch[0], np.float32) for batch in batches)
        return made, mirrored[:, ::-1]

    def record(
        self, meter: QualityMeter, values: Mapping[str, float], images: int
    ) -> QualityRecord:
        """The quality record of what has gone through."""
        model = self.card.identity(self.calibration.sha256)
        return recorded(meter, values, model, self.engine.facts, images)


class _Run:
    """One translation under way."""

    def __init__(
        self,
        pipeline: VirtualContrast,
        source: SliceSource,
        values: Mapping[str, float],
        progress: Progress,
    ) -> None:
        self._pipeline = pipeline
        self._source = source
        self._values = values
        self._progress = progress
        self.record: AfterLastSlice[QualityRecord] = AfterLastSlice("The quality record")

    def images(self) -> Generator[Slice, None, None]:
        """The recombined images; the record is there before the last one is handed out."""
        total = self._source.shape[0]
        meter = QualityMeter(self._pipeline.calibration)
        for done, mammogram in enumerate(checked_slices(self._source), start=1):
            around = framed(mammogram)
            made, mirrored = self._pipeline.both_answers(around)
            meter.add(around, made, mirrored)
            mean = np.asarray((made + mirrored) / 2, np.float32)
            image = carried(mean, around, mammogram)
            if done == total:
                self.record.set(self._pipeline.record(meter, self._values, total))
            self._progress(done, total)
            yield image


def _trial_image() -> Plane:
    """A round breast with texture, (SIZE, SIZE), 0 to 1."""
    down, across = np.mgrid[0:SIZE, 0:SIZE] / SIZE
    inside = (across / 0.45) ** 2 + ((down - 0.5) / 0.45) ** 2 < 1
    texture = np.random.default_rng(0).normal(0.5, 0.1, (SIZE, SIZE))
    return np.where(inside, np.clip(texture, 0, 1), 0.0).astype(np.float32)
