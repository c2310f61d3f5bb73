"""A network of PyTorch as a model of OpenVINO."""

from __future__ import annotations

import warnings
from functools import cache

import openvino
import torch
from torch import nn

from pipelines.engines.hardware import cores


def converted(network: nn.Module, example: torch.Tensor) -> openvino.Model:
    """The model; its output is to be held against the network's (see `choose`).

    Args:
        network: maps one tensor to one.
        example: an input that it can be traced with; every size stays open that the trace leaves.
    """
    with warnings.catch_warnings():
        # OpenVINO traces by a way that PyTorch is leaving; both are pinned, and a trial proves it
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        warnings.filterwarnings("ignore", category=FutureWarning)
        warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)  # type: ignore[attr-defined]
        # traced here, because OpenVINO would trace twice and compare: half the time of a load
        traced = torch.jit.trace(network.eval(), example, check_trace=False)
        return openvino.convert_model(traced, example_input=example)


def compiled(model: openvino.Model, threads: int) -> openvino.CompiledModel:
    """The model, ready to run on the processor in fp32.

    Arithmetic is fp32 by order: where a processor has bf16, OpenVINO would take it by itself, and
    bf16 holds a CT number only to 4 HU.

    Args:
        model: of `converted`, with the sizes that it is to take.
        threads: processor threads; 0 takes every core.
    """
    settings = {
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads or cores(),
    }
    return _core().compile_model(model, "CPU", settings)


@cache
def _core() -> openvino.Core:
    """One for as long as the process lives.

    The first gives its thread a stack for signal handlers, and takes it away with the last model:
    a signal to that thread would end the process if another thread had dropped that model.
    """
    return openvino.Core()
