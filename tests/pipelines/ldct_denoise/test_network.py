from __future__ import annotations

import pytest
import torch

from pipelines.ldct_denoise.network import DenoisingNetwork


def disturbed() -> DenoisingNetwork:
    """A network that is not the identity any more."""
    torch.manual_seed(0)
    network = DenoisingNetwork(channels=(8, 16, 16))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return network


def test_it_starts_as_the_identity() -> None:
    slices = 200 * torch.randn(1, 3, 40, 40)
    assert torch.equal(DenoisingNetwork()(slices), slices[:, 1:2])


@pytest.mark.parametrize(("rows", "columns"), [(64, 64), (37, 53), (8, 130), (65, 8)])
@torch.no_grad()
def test_any_size_keeps_its_size(rows: int, columns: int) -> None:
    slices = 100 * torch.randn(2, 3, rows, columns)
    output = disturbed()(slices)
    assert output.shape == (2, 1, rows, columns)
    assert not torch.equal(output, slices[:, 1:2])


@torch.no_grad()
def test_metal_and_padding_pass_unchanged() -> None:
    slices = 100 * torch.randn(1, 3, 32, 32)
    slices[:, 1, 4:8, 4:8] = 8000.0
    slices[:, 1, 20:24, 20:24] = -2000.0
    output = disturbed()(slices)
    assert (output[0, 0, 4:8, 4:8] == 8000).all()
    assert (output[0, 0, 20:24, 20:24] == -2000).all()


@torch.no_grad()
def test_padding_at_the_edge_does_not_move_the_rest() -> None:
    network = disturbed()
    slices = 100 * torch.randn(1, 3, 128, 128)
    part = network(slices[..., :120])
    whole = network(slices)
    assert torch.allclose(part[..., :48], whole[..., :48], atol=1e-2)
