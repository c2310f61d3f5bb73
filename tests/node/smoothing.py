"""A pipeline without a network: a box filter under the real model card.

The node's tests are about jobs; they must neither wait for a network nor depend on its weights.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy.ndimage import uniform_filter

from dicom_profiles.source import Source
from dicom_profiles.volume import Volume
from pipelines import catalog
from pipelines.card import ModelCard
from pipelines.contract import (
    EngineFacts,
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
from pipelines.gates import gate

ENGINE = EngineFacts("box filter", "cpu", "any", "fp32", {}, 0.0)


@dataclass
class Smoothing:
    """Smooths every slice; the quality is RED at a strength up to 0.5.

    Attributes:
        pause_s: waits so long at every slice, as a slow network would.
    """

    pause_s: float = 0.0
    card: ModelCard = field(default_factory=lambda: catalog.card("ldct_denoise"))

    def gate(self, inputs: Mapping[str, Source]) -> GateVerdict:
        return gate(self.card.name, inputs)

    def translate(
        self,
        inputs: Mapping[str, SliceSource],
        parameters: Parameters | None = None,
        progress: Progress = no_progress,
    ) -> Translation:
        source = inputs["CT"]
        values = self.card.parameters_from(parameters)

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

    def __call__(
        self, inputs: Mapping[str, Volume], parameters: Parameters | None = None
    ) -> Result:
        raise NotImplementedError("the node streams")
