"""The network run by OpenVINO on the processor, in fp32."""

from __future__ import annotations

from collections.abc import Generator, Iterable

import numpy as np
import openvino
import torch
from torch import nn

from pipelines.contract import EngineFacts
from pipelines.engines.engine import Batch, Slab, windows
from pipelines.engines.hardware import processor_name
from pipelines.engines.openvino_model import compiled, converted

EXAMPLE_SIZE = 64
"""Rows and columns of the example by which the network is traced; any other size is run as well."""


class OpenVinoEngine:
    """OpenVINO on the processor; compiled anew for every image size, in 0.1 to 0.3 s.

    Args:
        network: maps (B, 2 * context + 1, H, W) to (B, 1, H, W).
        context: neighbours on each side.
        threads: processor threads; 0 takes every core.
    """

    def __init__(self, network: nn.Module, context: int, threads: int = 0) -> None:
        self._context = context
        self._threads = threads
        example = torch.zeros(1, 2 * context + 1, EXAMPLE_SIZE, EXAMPLE_SIZE)
        self._model = converted(network, example)
        self._compiled: dict[tuple[int, ...], openvino.CompiledModel] = {}
        self.batch = 1
        self.facts = EngineFacts(
            name="openvino",
            device="cpu",
            hardware=processor_name(),
            precision="fp32",
            versions={"openvino": openvino.__version__, "torch": torch.__version__},
            largest_difference=0.0,
        )

    def run(self, slabs: Iterable[Slab]) -> Generator[Batch, None, None]:
        """Run the network over slabs, one after the other."""
        for slab in slabs:
            stack = windows(slab, self._context)
            output = self._for_shape(stack.shape)(stack)[0]
            yield np.array(output[:, 0])

    def _for_shape(self, shape: tuple[int, ...]) -> openvino.CompiledModel:
        """The network compiled for one shape; only the last one is kept."""
        if shape not in self._compiled:
            self._model.reshape(openvino.PartialShape(list(shape)))
            self._compiled = {shape: compiled(self._model, self._threads)}
        return self._compiled[shape]
