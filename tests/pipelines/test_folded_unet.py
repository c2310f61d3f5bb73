from __future__ import annotations

import torch

from pipelines.folded_unet import FoldedUnetBody, ResidualBlock, blocks


def body(fold: int = 2) -> FoldedUnetBody:
    return FoldedUnetBody(3, (4, 6, 8), ResidualBlock, blocks(8, 2), fold)


def test_sizes_come_back_and_lower_levels_are_coarser() -> None:
    for fold in (2, 4):
        network = body(fold)
        assert network.multiple == 4 * fold
        seen = torch.rand(2, 3, 2 * network.multiple, network.multiple)
        features = network.features(seen)
        assert features.shape == (2, 4, seen.shape[2] // fold, seen.shape[3] // fold)
        assert network.image_of(features).shape == (2, 1, *seen.shape[2:])


def test_residual_blocks_that_add_nothing_leave_what_they_get() -> None:
    block = ResidualBlock(4)
    torch.nn.init.zeros_(block.second.weight)
    torch.nn.init.zeros_(block.second.bias)  # type: ignore[arg-type]
    value = torch.randn(1, 4, 5, 5)
    assert torch.equal(block(value), value)


def test_every_parameter_counts() -> None:
    network = body()
    network.image_of(network.features(torch.rand(1, 3, 16, 16))).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name
