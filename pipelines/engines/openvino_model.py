"""A network of PyTorch as a model of OpenVINO."""

from __future__ import annotations

import warnings

import openvino
import torch
from torch import nn


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
