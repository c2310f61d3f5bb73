"""The network run by PyTorch: the reference on the processor, and the engine for a GPU."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable
from contextlib import closing

import torch
from torch import Tensor, nn

from pipelines.contract import EngineFacts
from pipelines.engines.engine import Batch, Slab, read_ahead, windows
from pipelines.engines.hardware import processor_name

GPU_BATCH = 16
"""Slices a slab on a GPU: enough to fill it, 16 MB a slab at 512 x 512."""

IN_FLIGHT = 3
"""Batches queued on a GPU before the first one is waited for."""


class TorchEngine:
    """Eager PyTorch on the processor in fp32: slow, and what every other engine is held against.

    Args:
        network: maps (B, 2 * context + 1, H, W) to (B, 1, H, W).
        context: neighbours on each side.
    """

    def __init__(self, network: nn.Module, context: int) -> None:
        self._network = network.eval()
        self._context = context
        self.batch = 1
        self.facts = EngineFacts(
            name="torch",
            device="cpu",
            hardware=processor_name(),
            precision="fp32",
            versions={"torch": torch.__version__},
            largest_difference=0.0,
        )

    def run(self, slabs: Iterable[Slab]) -> Generator[Batch, None, None]:
        """Run the network over slabs, one after the other."""
        for slab in slabs:
            with torch.inference_mode():
                stack = torch.from_numpy(windows(slab, self._context))
                output: Tensor = self._network(stack)[:, 0]
            yield output.numpy()


class CudaEngine:
    """A GPU: autocast, channels last, batches of slices; the host reads and pins ahead of it.

    Args:
        network: maps (B, 2 * context + 1, H, W) to (B, 1, H, W); is moved to the device.
        context: neighbours on each side.
        device: `cuda` or `cuda:N`.
        precision: arithmetic of the convolutions.
    """

    def __init__(
        self,
        network: nn.Module,
        context: int,
        device: str,
        precision: torch.dtype = torch.bfloat16,
    ) -> None:
        self._device = torch.device(device)
        self._network = network.eval().to(self._device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._context = context
        self._precision = precision
        self.batch = GPU_BATCH
        self.facts = EngineFacts(
            name="torch",
            device=str(self._device),
            hardware=torch.cuda.get_device_name(self._device),
            precision=f"{str(precision).removeprefix('torch.')} autocast",
            versions={"torch": torch.__version__, "cuda": str(torch.version.cuda)},
            largest_difference=0.0,
        )

    def run(self, slabs: Iterable[Slab]) -> Generator[Batch, None, None]:
        """Run the network over slabs; a thread pins the next ones while the GPU computes."""
        in_flight: deque[tuple[Tensor, torch.cuda.Event]] = deque()
        pinned = read_ahead((torch.from_numpy(slab).pin_memory() for slab in slabs), IN_FLIGHT)
        with closing(pinned):
            for slab in pinned:
                in_flight.append(self._start(slab))
                if len(in_flight) == IN_FLIGHT:
                    yield _finished(*in_flight.popleft())
        while in_flight:
            yield _finished(*in_flight.popleft())

    def _start(self, slab: Tensor) -> tuple[Tensor, torch.cuda.Event]:
        """Queue one slab: copy in, compute, copy out; nothing waits."""
        with (
            torch.inference_mode(),
            torch.cuda.device(self._device),
            torch.autocast("cuda", dtype=self._precision),
        ):
            there = slab.to(self._device, non_blocking=True)
            stack = there.unfold(0, 2 * self._context + 1, 1).permute(0, 3, 1, 2)
            output = self._network(stack.contiguous(memory_format=torch.channels_last))[:, 0]
            here = torch.empty(output.shape, dtype=torch.float32, pin_memory=True)
            here.copy_(output, non_blocking=True)
            done = torch.cuda.Event()
            done.record()
        return here, done


def _finished(output: Tensor, done: torch.cuda.Event) -> Batch:
    done.synchronize()
    return output.numpy()
