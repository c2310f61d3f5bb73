"""The pipeline: a low-dose CT in, the denoised CT out, slice by slice, with its quality record."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass

import safetensors.torch

from pipelines import catalog
from pipelines.contract import Progress, Slice, SliceSource, Translation
from pipelines.engines.choose import choose_engine
from pipelines.engines.engine import Engine, Slab, read_ahead, slabs
from pipelines.errors import WeightsError
from pipelines.inputs import checked_slices
from pipelines.ldct_denoise.network import CONTEXT, DenoisingNetwork
from pipelines.ldct_denoise.quality import Calibration, QualityMeter, read_calibration
from pipelines.ldct_denoise.strength import blend, effective_strength
from pipelines.recording import recorded, with_record
from pipelines.scanner import Scanner

NAME = "ldct_denoise"
INPUT = "CT"

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


@dataclass(frozen=True, eq=False)
class LowDoseCtDenoising(Scanner):
    """Denoises low-dose CT.

    Attributes:
        engine: runs the network.
        calibration: what the model's inputs look like, and the limits of quality.
    """

    engine: Engine
    calibration: Calibration

    def start(
        self, sources: Mapping[str, SliceSource], values: Mapping[str, float], progress: Progress
    ) -> Translation:
        """Start to denoise `{"CT": source}`."""
        source = sources[INPUT]
        total = source.shape[0]
        meter = QualityMeter(total, self.calibration)
        model = self.card.identity(self.calibration.sha256)
        strength = effective_strength(values["strength"], values["dose_share"])
        return with_record(
            self._denoised(source, strength, meter),
            total,
            lambda: recorded(meter, values, model, self.engine.facts, total),
            progress,
        )

    def _denoised(
        self, source: SliceSource, strength: float, meter: QualityMeter
    ) -> Generator[Slice, None, None]:
        """The denoised slices, as the meter has seen them."""
        with closing(self._pairs(source)) as pairs:
            for before, after in pairs:
                blended = blend(before, after, strength)
                meter.add(before, blended)
                yield blended

    def _pairs(self, source: SliceSource) -> Generator[tuple[Slice, Slice], None, None]:
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
