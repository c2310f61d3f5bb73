from __future__ import annotations

import pytest
import torch

from pipelines.mr_to_ct.residual_unet import ResidualUNet


@pytest.mark.parametrize("size", [(16, 16), (37, 50)])
def test_any_size_comes_back_in_hu(size: tuple[int, int]) -> None:
    output = ResidualUNet(5, width=4).eval()(torch.rand(2, 5, *size))
    assert output.shape == (2, 1, *size)
    assert output.min() >= -1024
    assert output.max() <= 3071


def test_padding_is_told_from_air() -> None:
    seen = ResidualUNet(3, width=4).prepare(
        torch.tensor([0.0, 0.01]).reshape(1, 1, 1, 2).expand(1, 3, 16, 2)
    )
    assert seen.shape == (1, 4, 16, 16)
    assert seen[0, 3, 0, :2].tolist() == [1.0, 0.0]


def test_the_middle_slice_decides_what_is_padding() -> None:
    planes = torch.ones(1, 5, 16, 16)
    planes[:, 0] = 0.0
    assert ResidualUNet(5, width=4).prepare(planes)[:, 5].max() == 0.0


def test_it_learns_a_simple_contrast() -> None:
    torch.manual_seed(0)
    network = ResidualUNet(1, width=8)
    mr = torch.rand(2, 1, 32, 32)
    ct = 400 * (mr - 0.5)
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(40):
        loss = (network(mr) - ct).abs().mean()
        optimiser.zero_grad()
        (loss / 500).backward()
        optimiser.step()
    assert loss.item() < 70  # the median alone leaves 100
