"""Choose an engine, and prove it: nothing but the reference is believed without a trial."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from pipelines.engines.engine import Engine, slabs
from pipelines.engines.hardware import processor_maker
from pipelines.engines.torch_engine import CudaEngine, TorchEngine
from pipelines.errors import EngineError, NotForThisEngine

log = logging.getLogger(__name__)

CPU_TOLERANCE = 0.1
"""Largest difference from the reference on the trial of a CT network, in HU."""

GPU_TOLERANCE = 5.0
"""The same for a GPU, whose convolutions have eight bits of mantissa under autocast."""

INTEL = "GenuineIntel"

TRIAL_SHAPE = (3, 70, 90)
"""Slices, rows, columns of the trial: sizes that no network divides evenly."""


@dataclass(frozen=True, eq=False)
class Trial:
    """What every engine has to compute as the reference does.

    Attributes:
        images: (slices, rows, columns), as the network is fed.
        cpu_tolerance: largest difference on the processor, in the output's unit.
        gpu_tolerance: the same on a GPU.
        unit: of the output.
    """

    images: npt.NDArray[np.float32]
    cpu_tolerance: float
    gpu_tolerance: float
    unit: str


def choose_engine(
    network: nn.Module,
    context: int,
    device: str = "auto",
    threads: int = 0,
    trial: Trial | None = None,
) -> Engine:
    """The fastest engine that computes what the reference computes.

    On a GPU it is PyTorch with autocast. On the processor the engines of `fastest_first` are tried
    in turn; one that is absent or differs on the trial is passed over. A repeat on the same machine
    takes the same engine.

    Args:
        network: on the processor, weights loaded; a GPU engine moves it.
        context: neighbours on each side of a slice.
        device: `auto` (a GPU when there is one), `cpu`, `cuda` or `cuda:N`.
        threads: processor threads; 0 takes every core.
        trial: that of a CT network in HU when left out.

    Raises:
        EngineError: the device is not there, or the GPU does not compute what the reference does.
    """
    if threads:
        torch.set_num_threads(threads)
    place, trial = device_of(device), trial or ct_trial()
    if place != "cpu":
        return _proven_on_gpu(network, context, place, trial)
    reference = TorchEngine(network, context)
    for name in fastest_first():
        try:
            engine = FAST_ON_CPU[name](network, context, threads)
            return proven(engine, reference, context, trial.cpu_tolerance, trial)
        except (ImportError, EngineError, RuntimeError) as error:
            extra = {"action": "engine_passed_over", "engine": name}
            level = logging.INFO if isinstance(error, NotForThisEngine) else logging.WARNING
            log.log(level, "This engine is passed over: %s", error, extra=extra)
    return reference


def fastest_first() -> tuple[str, ...]:
    """Engines of this processor that are tried before the reference.

    OpenVINO's convolutions gain from Intel's AVX-512 (CT: 1.9 times eager, ncnn 1.4), not from
    AMD's (1.5 and 1.9; T1 1.7 and 3.1) and not from AVX2 (1.6 and 1.9).
    """
    wide = torch.backends.cpu.get_cpu_capability() == "AVX512" and processor_maker() == INTEL
    return ("openvino", "ncnn") if wide else ("ncnn", "openvino")


def proven(
    engine: Engine,
    reference: Engine,
    context: int,
    tolerance: float,
    trial: Trial | None = None,
) -> Engine:
    """The engine, with its largest difference from the reference noted in its facts.

    Raises:
        EngineError: it differs by more than the tolerance.
    """
    trial = trial or ct_trial()
    wanted = np.concatenate(list(reference.run(slabs(trial.images, context, batch=1))))
    got = np.concatenate(list(engine.run(slabs(trial.images, context, batch=1))))
    difference = float(np.abs(got - wanted).max())
    if not difference <= tolerance:
        raise EngineError(
            f"{engine.facts.name} on {engine.facts.device} differs from the reference by "
            f"{difference:.3g} {trial.unit} on the trial; {tolerance:g} {trial.unit} are allowed."
        )
    engine.facts = replace(engine.facts, largest_difference=round(difference, 6))
    return engine


def _proven_on_gpu(network: nn.Module, context: int, place: str, trial: Trial) -> Engine:
    engine = CudaEngine(deepcopy(network), context, place)
    reference = TorchEngine(network, context)
    return proven(engine, reference, context, trial.gpu_tolerance, trial)


def device_of(device: str) -> str:
    """`cpu` or `cuda:N`, and that GPU is there."""
    if device == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    if device == "cpu":
        return device
    wanted = re.fullmatch(r"cuda(?::(\d+))?", device)
    if wanted is None:
        raise EngineError(f"A device is auto, cpu, cuda or cuda:N, got {device!r}.")
    number, count = int(wanted[1] or 0), torch.cuda.device_count()
    if number >= count:
        raise EngineError(
            f"{device} was asked for, but PyTorch sees {count} GPUs; use cpu or auto."
        )
    return f"cuda:{number}"


def _ncnn(network: nn.Module, context: int, threads: int) -> Engine:
    from pipelines.engines.ncnn_engine import NcnnEngine  # it may not be installed

    return NcnnEngine(network, context, threads)


def _openvino(network: nn.Module, context: int, threads: int) -> Engine:
    from pipelines.engines.openvino_engine import OpenVinoEngine  # it may not be installed

    return OpenVinoEngine(network, context, threads)


def ct_trial() -> Trial:
    """A small noisy body with air, bone and metal, (slices, rows, columns) in HU."""
    noise = np.random.default_rng(0)
    images = noise.normal(40.0, 60.0, TRIAL_SHAPE).astype(np.float32)
    images[:, :, :20] -= 1000.0
    images[:, 30:40, 40:60] += 900.0
    images[:, 50:53, 70:73] = 8000.0
    return Trial(images, CPU_TOLERANCE, GPU_TOLERANCE, "HU")


FAST_ON_CPU: dict[str, Callable[[nn.Module, int, int], Engine]] = {
    "ncnn": _ncnn,
    "openvino": _openvino,
}
"""Engines of the processor by name."""
