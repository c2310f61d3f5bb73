"""The three models in one file of weights: each by its name, design and digest-pinned tensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
from torch import Tensor, nn

from pipelines.engines.choose import Trial, choose_engine
from pipelines.engines.engine import Engine
from pipelines.errors import WeightsError
from pipelines.mr_to_ct.networks import Design, build
from pipelines.mr_to_ct.stacked import Stacked

CPU_TOLERANCE, GPU_TOLERANCE = 0.5, 10.0
"""Of an engine, in HU; on a GPU convolutions have eight bits of mantissa."""

TRIAL_SIDES = (72, 90)
DESIGNS = "designs"
"""Key in the metadata of the weights: JSON, name of the model to its design."""


@dataclass(frozen=True, eq=False)
class Model:
    """One model, ready to run.

    Attributes:
        name: `in_n_out`, `in_phase`, `t1`.
        design: its network and what it is fed.
        engine: runs it.
    """

    name: str
    design: Design
    engine: Engine


def read_networks(weights: bytes) -> dict[str, tuple[Design, nn.Module]]:
    """Every network of a file of weights, by the name of its model, in fp32.

    Raises:
        WeightsError: the file names no designs, or its tensors do not fit them.
    """
    try:
        tensors = safetensors.torch.load(weights)
        # safetensors: eight bytes with the size of the header, then the header as JSON
        header = json.loads(weights[8 : 8 + int.from_bytes(weights[:8], "little")])
        designs: dict[str, Any] = json.loads(header.get("__metadata__", {}).get(DESIGNS, "{}"))
        return {name: _network(name, values, tensors) for name, values in designs.items()}
    except (RuntimeError, ValueError, TypeError, KeyError, safetensors.SafetensorError) as error:
        raise WeightsError(f"The weights do not fit the networks: {error}") from error


def _network(
    name: str, values: dict[str, Any], tensors: Mapping[str, Tensor]
) -> tuple[Design, nn.Module]:
    design = Design(**{**values, "inputs": tuple(values["inputs"])})
    network = build(design)
    prefix = f"{name}."
    own = {
        key.removeprefix(prefix): value.float()
        for key, value in tensors.items()
        if key.startswith(prefix)
    }
    network.load_state_dict(own)
    return design, network


def written(networks: Mapping[str, tuple[Design, Mapping[str, Tensor]]]) -> bytes:
    """A file of weights, stored as halves; `read_networks` reads it."""
    tensors = {
        f"{name}.{key}": value.half().contiguous()
        for name, (_, own) in networks.items()
        for key, value in own.items()
    }
    designs = json.dumps({name: asdict(design) for name, (design, _) in networks.items()})
    return safetensors.torch.save(tensors, {DESIGNS: designs})


def load_models(weights: bytes, device: str, threads: int) -> dict[tuple[str, ...], Model]:
    """Every model by the inputs that it takes, each with the engine that suits the device."""
    models = {}
    for name, (design, network) in read_networks(weights).items():
        whole = Stacked(network, len(design.inputs))
        engine = choose_engine(whole, design.context, device, threads, _trial(design))
        models[design.inputs] = Model(name, design, engine)
    return models


def _trial(design: Design) -> Trial:
    """A bright body with a dark bone and padding, as the network is fed."""
    rows, columns = TRIAL_SIDES
    down, across = np.mgrid[0:rows, 0:columns]
    inside = (down / rows - 0.5) ** 2 + (across / columns - 0.5) ** 2 < 0.16
    bone = (down - 30) ** 2 + (across - 50) ** 2 < 64
    noise = np.random.default_rng(0).normal(0.5, 0.1, (3, len(design.inputs), rows, columns))
    images = np.where(inside, np.where(bone, 0.03, np.clip(noise, 0.05, 2.0)), 0.01)
    images[..., :4] = 0.0
    tall = images.reshape(3, -1, columns).astype(np.float32)
    return Trial(tall, CPU_TOLERANCE, GPU_TOLERANCE, "HU")
