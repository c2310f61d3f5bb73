"""The file of weights: one network a district and the single one, each under its name.

Keys are `legs.down.0.first.weight` …; the file's metadata says for each network what it is and how
it is to be run. Weights are kept in half precision and run in single.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import nn

from pipelines.ct_to_pet.network import network_for
from pipelines.ct_to_pet.patches import Tiling
from pipelines.errors import WeightsError

SINGLE = "all"
"""Name of the network that was trained on whole bodies."""

GRANULE = 16
"""Cubes that one place on the lowest level of the residual U-Net stands for."""


@dataclass(frozen=True)
class NetworkFacts:
    """What one network is and how it is run.

    Attributes:
        backbone: `residual_unet` or `generator`.
        widths: features at each level; of a generator those of the first.
        patch: cubes along a side of its patches.
        overlap: cubes that neighbouring patches share.
        tapered: whether patches count less towards their faces.
        simulated_only: it has seen no real patient.
        steps: for how many steps it was trained.
    """

    backbone: str
    widths: tuple[int, ...]
    patch: int
    overlap: int
    tapered: bool
    simulated_only: bool
    steps: int

    @property
    def tiling(self) -> Tiling:
        """How volumes are cut for it."""
        free = (
            self.backbone == "residual_unet"
        )  # the generator halves a patch until nothing is left
        return Tiling(self.patch, self.overlap, self.tapered, GRANULE if free else 0)


@dataclass(frozen=True)
class StoredNetwork:
    """One network of the file, weights loaded, on the processor."""

    facts: NetworkFacts
    network: nn.Module


def read_networks(content: bytes) -> dict[str, StoredNetwork]:
    """Every network of a file, by name.

    Raises:
        WeightsError: the file is none of ours, or does not fit its own description.
    """
    try:
        tensors = safetensors.torch.load(content)
        described = json.loads(_metadata(content)["networks"])
        networks = {}
        for name, values in described.items():
            facts = NetworkFacts(**{**values, "widths": tuple(values["widths"])})
            network = network_for(facts.backbone, facts.widths)
            own = {
                key.removeprefix(f"{name}."): tensor.float()
                for key, tensor in tensors.items()
                if key.startswith(f"{name}.")
            }
            network.load_state_dict(own)
            networks[name] = StoredNetwork(facts, network.eval())
    except (RuntimeError, KeyError, TypeError, ValueError, safetensors.SafetensorError) as error:
        raise WeightsError(f"The weights do not fit the networks: {error}") from error
    return networks


def to_bytes(networks: dict[str, tuple[NetworkFacts, dict[str, torch.Tensor]]]) -> bytes:
    """A file of several networks."""
    tensors = {
        f"{name}.{key}": value.half().contiguous()
        for name, (_, state) in networks.items()
        for key, value in state.items()
    }
    described = {name: asdict(facts) for name, (facts, _) in networks.items()}
    metadata = {"networks": json.dumps(described, sort_keys=True)}
    content: bytes = safetensors.torch.save(tensors, metadata)
    return content


def _metadata(content: bytes) -> dict[str, Any]:
    """The metadata in the head of a safetensors file: eight bytes of length, then JSON."""
    length = int.from_bytes(content[:8], "little")
    head: dict[str, dict[str, Any]] = json.loads(content[8 : 8 + length])
    return head["__metadata__"]
