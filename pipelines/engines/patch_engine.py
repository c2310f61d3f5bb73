"""Engines for 3-D networks on batches of patches: PyTorch (reference, CUDA) and OpenVINO."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable
from copy import deepcopy
from dataclasses import replace
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from pipelines.contract import EngineFacts
from pipelines.engines.choose import device_of
from pipelines.engines.hardware import processor_name
from pipelines.errors import EngineError

log = logging.getLogger(__name__)

Patches: TypeAlias = npt.NDArray[np.float32]
"""(B, C, z, y, x) float32."""

GPU_BATCH = 16
"""Patches at once on a GPU."""

CPU_BATCH = 1
"""Patches at once on the processor: a patch's layers stay in its cache."""


class PatchEngine(Protocol):
    """Runs one network over patches, of any size that the network takes.

    Attributes:
        facts: what it is, for the quality record.
        batch: how many patches a batch should hold.
    """

    facts: EngineFacts
    batch: int

    def run(self, batches: Iterable[Patches]) -> Generator[Patches, None, None]:
        """Run the network over batches, one output for each, in order."""


class TorchPatchEngine:
    """Eager PyTorch in fp32 on the processor: the reference.

    Args:
        network: maps (B, C, z, y, x) to (B, 1, z, y, x).
    """

    def __init__(self, network: nn.Module) -> None:
        self._network = network.eval()
        self.batch = CPU_BATCH
        self.facts = _facts("torch", "cpu", processor_name(), "fp32", {"torch": torch.__version__})

    def run(self, batches: Iterable[Patches]) -> Generator[Patches, None, None]:
        """Run the network over batches."""
        for batch in batches:
            with torch.inference_mode():
                made = self._network(torch.from_numpy(batch))
            yield made.numpy()


class CudaPatchEngine:
    """A GPU: bf16 autocast, channels last, large batches.

    Args:
        network: is moved to the device.
        device: `cuda:N`.
    """

    def __init__(self, network: nn.Module, device: str) -> None:
        self._device = torch.device(device)
        self._network = network.eval().to(self._device, memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        self.batch = GPU_BATCH
        versions = {"torch": torch.__version__, "cuda": str(torch.version.cuda)}
        name = torch.cuda.get_device_name(self._device)
        self.facts = _facts("torch", device, name, "bfloat16 autocast", versions)

    def run(self, batches: Iterable[Patches]) -> Generator[Patches, None, None]:
        """Run the network over batches."""
        for batch in batches:
            with torch.inference_mode(), torch.autocast("cuda", torch.bfloat16):
                there = torch.from_numpy(batch).pin_memory().to(self._device, non_blocking=True)
                made = self._network(there.contiguous(memory_format=torch.channels_last_3d))
            yield made.float().cpu().numpy()


class OpenVinoPatchEngine:
    """OpenVINO on the processor in fp32, one patch at a time, compiled once for every size.

    Args:
        network: maps (1, C, z, y, x) to (1, 1, z, y, x).
        shape: (C, z, y, x) of a patch that it can be traced with.
        threads: processor threads; 0 takes every core.
    """

    def __init__(self, network: nn.Module, shape: tuple[int, ...], threads: int = 0) -> None:
        import openvino  # it may not be installed

        from pipelines.engines.openvino_model import compiled, converted

        model = converted(network, torch.zeros(CPU_BATCH, *shape))
        # sizes stay open: as fast here as fixed ones, and no size has to be compiled for
        model.reshape(openvino.PartialShape([CPU_BATCH, shape[0], -1, -1, -1]))
        self._compiled = compiled(model, threads)
        self.batch = CPU_BATCH
        versions = {"openvino": openvino.__version__, "torch": torch.__version__}
        self.facts = _facts("openvino", "cpu", processor_name(), "fp32", versions)

    def run(self, batches: Iterable[Patches]) -> Generator[Patches, None, None]:
        """Run the network over batches."""
        for batch in batches:
            yield np.concatenate([np.array(self._compiled(one[np.newaxis])[0]) for one in batch])


def choose_patch_engine(
    network: nn.Module,
    shape: tuple[int, ...],
    device: str = "auto",
    threads: int = 0,
    tolerance: float = 0.01,
) -> PatchEngine:
    """The fastest engine that computes what the reference computes.

    Args:
        network: on the processor, weights loaded.
        shape: (C, p, p, p) of a patch.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        threads: processor threads; 0 takes every core.
        tolerance: largest difference on the trial, in the output's unit (ten times that on a GPU).

    Raises:
        EngineError: the device is not there, or the GPU does not compute what the reference does.
    """
    if threads:
        torch.set_num_threads(threads)
    reference, place = TorchPatchEngine(network), device_of(device)
    if place != "cpu":
        engine = CudaPatchEngine(deepcopy(network), place)
        return _proven(engine, reference, shape, 10 * tolerance)
    try:
        return _proven(OpenVinoPatchEngine(network, shape, threads), reference, shape, tolerance)
    except (ImportError, EngineError, RuntimeError) as error:
        extra = {"action": "engine_passed_over", "engine": "openvino"}
        log.warning("This engine is passed over: %s", error, extra=extra)
    return reference


def _proven(
    engine: PatchEngine, reference: PatchEngine, shape: tuple[int, ...], tolerance: float
) -> PatchEngine:
    """The engine, its largest difference from the reference on a trial noted in its facts."""
    noise = np.random.default_rng(0).standard_normal((1, *shape), np.float32)
    make: Callable[[PatchEngine], Patches] = lambda one: next(one.run([noise]))  # noqa: E731
    difference = float(np.abs(make(engine) - make(reference)).max())
    if not difference <= tolerance:
        raise EngineError(
            f"{engine.facts.name} on {engine.facts.device} differs from the reference by "
            f"{difference:.3g} on the trial; {tolerance:g} is allowed."
        )
    engine.facts = replace(engine.facts, largest_difference=round(difference, 6))
    return engine


def _facts(
    name: str, device: str, hardware: str, precision: str, versions: dict[str, str]
) -> EngineFacts:
    return EngineFacts(name, device, hardware, precision, versions, 0.0)
