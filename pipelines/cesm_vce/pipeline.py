"""The pipeline: a low-energy mammogram in, the virtual recombined image out, at its own size."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import safetensors
import safetensors.torch

from pipelines import catalog
from pipelines.cesm_vce.carry import carried
from pipelines.cesm_vce.framing import SIZE, Framed, Plane, framed
from pipelines.cesm_vce.generators import Generator as Network
from pipelines.cesm_vce.network import build
from pipelines.cesm_vce.quality import Calibration, QualityMeter, read_calibration
from pipelines.contract import Progress, Slice, SliceSource, Translation
from pipelines.engines.choose import Trial, choose_engine
from pipelines.engines.engine import Engine
from pipelines.errors import WeightsError
from pipelines.inputs import checked_slices
from pipelines.recording import recorded, with_record
from pipelines.scanner import Scanner

NAME = "cesm_vce"
INPUT = "LE"

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


@dataclass(frozen=True, eq=False)
class VirtualContrast(Scanner):
    """Predicts contrast enhancement.

    Attributes:
        engine: runs the network.
        calibration: what the model's inputs look like, and the limits of quality.
    """

    engine: Engine
    calibration: Calibration

    def start(
        self, sources: Mapping[str, SliceSource], values: Mapping[str, float], progress: Progress
    ) -> Translation:
        """Start to translate `{"LE": source}`; each of its images is a mammogram of its own."""
        source = sources[INPUT]
        total = source.shape[0]
        meter = QualityMeter(self.calibration)
        model = self.card.identity(self.calibration.sha256)
        return with_record(
            self._recombined(source, meter),
            total,
            lambda: recorded(meter, values, model, self.engine.facts, total),
            progress,
        )

    def _recombined(self, source: SliceSource, meter: QualityMeter) -> Generator[Slice, None, None]:
        """The recombined images; the meter has seen what they were made of."""
        for mammogram in checked_slices(source):
            around = framed(mammogram)
            made, mirrored = self._both_answers(around)
            meter.add(around, made, mirrored)
            mean = np.asarray((made + mirrored) / 2, np.float32)
            yield carried(mean, around, mammogram)

    def _both_answers(self, around: Framed) -> tuple[Plane, Plane]:
        """What the network makes of a framed mammogram, as it is and mirrored (and back)."""
        slabs = (around.seen[None], np.ascontiguousarray(around.seen[None, :, ::-1]))
        with closing(self.engine.run(iter(slabs))) as batches:
            made, mirrored = (np.asarray(batch[0], np.float32) for batch in batches)
        return made, mirrored[:, ::-1]


def _trial_image() -> Plane:
    """A round breast with texture, (SIZE, SIZE), 0 to 1."""
    down, across = np.mgrid[0:SIZE, 0:SIZE] / SIZE
    inside = (across / 0.45) ** 2 + ((down - 0.5) / 0.45) ** 2 < 1
    texture = np.random.default_rng(0).normal(0.5, 0.1, (SIZE, SIZE))
    return np.where(inside, np.clip(texture, 0, 1), 0.0).astype(np.float32)
