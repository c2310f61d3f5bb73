"""A pipeline without a network: a box filter under the real model card.

The node's tests are about jobs; they must neither wait for a network nor depend on its weights.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy.ndimage import uniform_filter

from pipelines import catalog
from pipelines.card import ModelCard
from pipelines.contract import (
    EngineFacts,
    Progress,
    QualityRecord,
    Slice,
    SliceSource,
    Translation,
)
from pipelines.errors import NothingToTranslate
from pipelines.scanner import Scanner

ENGINE = EngineFacts("box filter", "cpu", "any", "fp32", {}, 0.0)


@dataclass(frozen=True, eq=False)
class Smoothing(Scanner):
    """Smooths every slice; the quality is RED at a strength up to 0.5.

    Attributes:
        pause_s: waits so long at every slice, as a slow network would.
    """

    card: ModelCard = field(default_factory=lambda: catalog.card("ldct_denoise"))
    pause_s: float = 0.0

    def start(
        self, sources: Mapping[str, SliceSource], values: Mapping[str, float], progress: Progress
    ) -> Translation:
        source = sources["CT"]

        def slices() -> Generator[Slice, None, None]:
            for done, image in enumerate(source.slices(), start=1):
                time.sleep(self.pause_s)
                progress(done, source.shape[0])
                yield uniform_filter(image, 3).astype(np.float32)

        green = values["strength"] > 0.5
        record = QualityRecord(
            verdict="GREEN" if green else "RED",
            reasons=() if green else ("The box filter was told to be weak.",),
            input_distance=1.0,
            measurements={"noise_before_hu": 30.0, "noise_after_hu": 10.0},
            parameters=values,
            model={"name": self.card.name, "version": self.card.version},
            engine=ENGINE,
            slices=source.shape[0],
        )
        return Translation(slices(), lambda: record)


class SeesNothing(Smoothing):
    """Finds every image empty, once it has decoded the first."""

    def start(
        self, sources: Mapping[str, SliceSource], values: Mapping[str, float], progress: Progress
    ) -> Translation:
        def slices() -> Generator[Slice, None, None]:
            yield next(iter(sources["CT"].slices()))
            raise NothingToTranslate("There is nothing in these images.")

        return Translation(slices(), super().start(sources, values, progress).record)
