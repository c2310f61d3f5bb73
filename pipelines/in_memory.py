"""A pipeline called with volumes, as a researcher does: the node's own way, gathered in memory."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dicom_profiles.volume import Volume
from pipelines.contract import Parameters, Pipeline, Result, VolumeSource


def translated(
    pipeline: Pipeline,
    inputs: Mapping[str, Volume],
    grid: Volume,
    parameters: Parameters | None,
) -> Result:
    """Translate volumes.

    Args:
        pipeline: does it.
        inputs: by key, each in the unit that the pipeline wants.
        grid: the input on whose grid the output lies.
        parameters: of the model; none for its defaults.
    """
    sources = {key: VolumeSource(volume) for key, volume in inputs.items()}
    translation = pipeline.translate(sources, parameters)
    voxels = np.empty(grid.voxels.shape, np.float32)
    for index, image in enumerate(translation.slices):
        voxels[index] = image
    companions = {
        name: Volume(values.astype(np.float32), grid.affine, "1", grid.frame_of_reference)
        for name, values in translation.companions().items()
    }
    volume = Volume(voxels, grid.affine, pipeline.card.output_unit, grid.frame_of_reference)
    return Result(volume, companions, translation.record())
