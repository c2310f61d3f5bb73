"""The network run by ncnn: 3 x 3 convolutions by Winograd's method, less than half the work.

Slices are spread over threads, one slice a thread: no thread ever waits for another, so a busy
machine costs what it takes and no more. All arithmetic is fp32.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Protocol

import ncnn
import numpy as np
import torch
from torch import Tensor, nn

from pipelines.contract import EngineFacts
from pipelines.engines.engine import Batch, Slab, windows
from pipelines.engines.hardware import cores, processor_name
from pipelines.engines.ncnn_graph import INPUT, OUTPUT, ncnn_graph
from pipelines.errors import EngineError

MOST_SLICES = 8
"""Slices under way at a time; about 120 MB each at 512 x 512. More cores share a slice."""


class SplitNetwork(Protocol):
    """A network whose convolutional part stands apart from its pre- and post-processing."""

    def prepare(self, slices: Tensor) -> Tensor:
        """(B, C, H, W) HU to what the convolutions read."""

    def correction(self, seen: Tensor) -> Tensor:
        """The convolutional part."""

    def finish(self, slices: Tensor, correction: Tensor) -> Tensor:
        """(B, 1, H, W) HU from the slices and the correction."""


class NcnnEngine:
    """ncnn on the processor.

    Args:
        network: an `nn.Module` that is also a `SplitNetwork`.
        context: neighbours on each side.
        threads: processor threads; 0 takes every core.

    Raises:
        NotForThisEngine: the network has something that ncnn is not given.
    """

    def __init__(self, network: nn.Module, context: int, threads: int = 0) -> None:
        self._network: SplitNetwork = network.eval()  # type: ignore[assignment]
        self._context = context
        threads = threads or cores()
        self._workers = min(threads, MOST_SLICES)
        graph = ncnn_graph(network.correction, network)  # type: ignore[arg-type]
        self._weights = bytes(graph.weights)  # ncnn reads them where they lie: keep them
        self._net = _ncnn_net(graph.text(), self._weights, max(1, threads // self._workers))
        self.batch = 1
        self.facts = EngineFacts(
            name="ncnn",
            device="cpu",
            hardware=processor_name(),
            precision="fp32",
            versions={"ncnn": ncnn.__version__, "torch": torch.__version__},
            largest_difference=0.0,
        )

    def run(self, slabs: Iterable[Slab]) -> Generator[Batch, None, None]:
        """Run the network over slabs of one slice, a thread each, results in order."""
        source, usual = iter(slabs), torch.get_num_threads()
        with ThreadPoolExecutor(self._workers, "ncnn", _alone) as threads:
            waiting: deque[Future[Batch]] = deque(
                threads.submit(self._one, slab) for slab in islice(source, self._workers)
            )
            try:
                while waiting:
                    output = waiting.popleft().result()
                    for slab in islice(source, 1):
                        waiting.append(threads.submit(self._one, slab))
                    yield output
            finally:
                for future in waiting:
                    future.cancel()
                torch.set_num_threads(usual)  # of threads to come

    def _one(self, slab: Slab) -> Batch:
        with torch.inference_mode():
            stack = torch.from_numpy(windows(slab, self._context))
            seen = self._network.prepare(stack)
            corrections = torch.stack([self._correction(image) for image in seen])
            return self._network.finish(stack, corrections)[:, 0].numpy()

    def _correction(self, seen: Tensor) -> Tensor:
        """(C, H, W) to (1, H, W) by ncnn."""
        extractor = self._net.create_extractor()
        values = np.ascontiguousarray(seen.numpy())
        extractor.input(INPUT, ncnn.Mat(values))
        failed, output = extractor.extract(OUTPUT)
        if failed:
            raise EngineError(f"ncnn could not run the network on {values.shape} values.")
        return torch.from_numpy(np.array(output))


def _alone() -> None:
    """Torch's helpers of this thread would spin on the cores that other slices are run on."""
    torch.set_num_threads(1)


def _ncnn_net(text: str, weights: bytes, threads: int) -> ncnn.Net:
    net = ncnn.Net()
    net.opt.num_threads = threads
    for shorter in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_storage"):
        setattr(net.opt, f"use_{shorter}", False)
    # tiles of 4 x 4: as quick as those of 6 x 6 on few channels, and nearer to the exact result
    net.opt.use_winograd63_convolution = False
    if net.load_param_mem(text) != 0:
        raise EngineError("ncnn does not read the network that was written for it.")
    net.load_model_mem(weights)
    return net
