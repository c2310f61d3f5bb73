from __future__ import annotations

import pytest
import torch

from pipelines.cesm_vce.network import GENERATORS, FoldedUNet, build


@pytest.mark.parametrize("name", sorted(GENERATORS))
def test_display_values_come_out_on_the_grid_that_went_in(name: str) -> None:
    network = build(name).eval()
    seen = torch.rand(1, 1, 256, 256, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        made = network(seen)
    assert made.shape == seen.shape
    assert made.min() >= 0
    assert made.max() <= 1


def test_an_unknown_network_is_refused() -> None:
    with pytest.raises(ValueError, match="folded_unet"):
        build("diffusion")


def test_the_shipped_network_starts_with_plain_tissue() -> None:
    with torch.inference_mode():
        made = FoldedUNet()(torch.rand(1, 1, 64, 64))
    torch.testing.assert_close(made, torch.full_like(made, 0.2405), atol=0.05, rtol=0)


def test_the_sigmoid_stands_apart() -> None:
    network = FoldedUNet().eval()
    torch.nn.init.normal_(network.tail.weight)
    seen = torch.rand(1, 1, 64, 64)
    with torch.inference_mode():
        apart = torch.sigmoid(network.correction(network.prepare(seen)))
        torch.testing.assert_close(network(seen), apart)
