"""What pipelines share: inputs held against the card, volumes translated as the node streams."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dicom_profiles.volume import Volume
from pipelines import gates
from pipelines.card import ModelCard
from pipelines.contract import (
    GateVerdict,
    Parameters,
    Progress,
    Result,
    SliceSource,
    Translation,
    VolumeSource,
    no_progress,
)
from pipelines.inputs import refuse_empty, refuse_other_units, taken

if TYPE_CHECKING:
    from dicom_profiles.sources.source import Source


@dataclass(frozen=True, eq=False)
class Scanner(ABC):
    """A `pipelines.contract.Pipeline` but for the translation itself, which is each one's own.

    Attributes:
        card: the model card.
    """

    card: ModelCard

    @abstractmethod
    def start(
        self, sources: Mapping[str, SliceSource], values: Mapping[str, float], progress: Progress
    ) -> Translation:
        """Start to translate; work happens while the slices are taken.

        Args:
            sources: one of the card's sets of inputs, in the card's order, none of them empty.
            values: of every parameter.
            progress: to be called as work goes on.
        """

    def gate(self, inputs: Mapping[str, Source]) -> GateVerdict:
        """Whether these series are in the model's scope, from their headers alone."""
        return gates.gate(self.card.name, inputs)

    def translate(
        self,
        inputs: Mapping[str, SliceSource],
        parameters: Parameters | None = None,
        progress: Progress = no_progress,
    ) -> Translation:
        """Start to translate series, once inputs and parameters are found to be the card's."""
        sources = taken(inputs, self.card)
        refuse_empty(sources)
        return self.start(sources, self.card.parameters_from(parameters), progress)

    def __call__(
        self, inputs: Mapping[str, Volume], parameters: Parameters | None = None
    ) -> Result:
        """Translate volumes in memory, onto the grid of the first that the card names."""
        volumes = taken(inputs, self.card)
        refuse_other_units(volumes, self.card)
        grid = next(iter(volumes.values()))
        sources = {key: VolumeSource(volume) for key, volume in volumes.items()}
        translation = self.translate(sources, parameters)
        voxels = np.empty(grid.voxels.shape, np.float32)
        for index, image in enumerate(translation.slices):
            voxels[index] = image
        companions = {
            name: Volume(values.astype(np.float32), grid.affine, "1", grid.frame_of_reference)
            for name, values in translation.companions().items()
        }
        volume = Volume(voxels, grid.affine, self.card.output_unit, grid.frame_of_reference)
        return Result(volume, companions, translation.record())
