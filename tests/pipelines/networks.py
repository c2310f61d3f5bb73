"""Small networks with seeded weights, so that engine tests are quick and need no weights file."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from pipelines.contract import Slice
from pipelines.engines.engine import Engine, slabs
from pipelines.ldct_denoise.network import DenoisingNetwork
from tests.synthetic import phantom_slice


def small_network(context: int = 1) -> DenoisingNetwork:
    """The product's architecture, narrow, with weights that change every value by tens of HU."""
    torch.manual_seed(3)
    network = DenoisingNetwork(channels=(8, 16, 16), context=context)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            inputs = module.in_channels * module.kernel_size[0] * module.kernel_size[1]
            nn.init.normal_(module.weight, std=inputs**-0.5)
    return network.eval()


def phantom(slices: int = 4, rows: int = 66, columns: int = 74) -> npt.NDArray[np.float32]:
    """A noisy phantom, (slices, rows, columns) in HU."""
    return np.stack(
        [
            phantom_slice(rows, columns, position=index / slices, seed=index)
            for index in range(slices)
        ]
    )


def run(engine: Engine, images: npt.NDArray[np.float32], context: int = 1) -> list[Slice]:
    """All slices of a series through an engine."""
    return [image for batch in engine.run(slabs(images, context, engine.batch)) for image in batch]
