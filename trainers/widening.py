"""Give a trained U-Net twice the channels without changing what it computes, and train on.

    python -m trainers.widening --configuration t1 --width 16 --weights runs/a/weights.safetensors \
        --out wide.safetensors
    python -m trainers.mr_to_ct --configuration t1 --width 32 --start wide.safetensors …

Each feature stands there twice, and whoever reads a feature reads both at half strength (Chen et
al., "Net2Net", ICLR 2016). A little noise on the readers lets the twins part in training. The wide
network begins where the narrow one ended, in a fraction of the time that it takes from nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from pipelines.mr_to_ct.networks import build
from trainers.mr_to_ct import design_of, read_settings
from trainers.training.script import exit_code

NOISE = 0.02
"""Relative; without it both halves of a doubled layer would learn the same for ever."""


def widened(
    narrow: Mapping[str, Tensor],
    wide_shapes: Mapping[str, torch.Size],
    noise: float = NOISE,
) -> dict[str, Tensor]:
    """Tensors of the wide network.

    Args:
        narrow: weights and biases of convolutions, (out, in, H, W) and (out).
        wide_shapes: of the wide network's tensors: each axis that grows is twice as long.
        noise: relative, on the weights of whoever reads a feature.

    Raises:
        ValueError: a tensor would have to grow otherwise.
    """
    random = torch.Generator().manual_seed(1)
    wide = {}
    for name, shape in wide_shapes.items():
        tensor = narrow[name]
        for axis, (small, large) in enumerate(zip(tensor.shape, shape, strict=True)):
            if large not in (small, 2 * small):
                raise ValueError(f"{name} should keep or double {small} on axis {axis}: {large}.")
            if large == small:
                continue
            tensor = torch.cat([tensor, tensor], dim=axis)
            if axis == 1:  # what is read twice is read at half strength
                change = torch.randn(tensor.shape, generator=random) * noise
                tensor = tensor * (1 + change) / 2
        wide[name] = tensor.contiguous()
    return wide


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, write the wide weights."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--configuration", required=True, help="of trainers.mr_to_ct")
    parser.add_argument("--width", type=int, required=True, help="of the narrow network")
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(arguments)
    settings = read_settings(given.configuration, {"width": 2 * given.width})
    shapes = {name: value.shape for name, value in build(design_of(settings)).state_dict().items()}
    save_file(widened(load_file(given.weights), shapes), given.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(exit_code(main))
