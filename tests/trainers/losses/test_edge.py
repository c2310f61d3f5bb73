from __future__ import annotations

import pytest
import torch

from trainers.losses.edge import edge_loss, laplacian


def test_laplacian_of_known_surfaces() -> None:
    x = torch.arange(8.0)
    ramp, parabola = x.expand(1, 1, 8, 8), (x**2).expand(1, 1, 8, 8)
    assert laplacian(ramp)[..., 1:-1].abs().max() == 0
    assert (laplacian(parabola)[..., 1:-1] == 2).all()


def test_equal_images_and_equal_edges_cost_nothing() -> None:
    image = torch.rand(2, 3, 9, 9, dtype=torch.float64)
    assert edge_loss(image, image).item() == 0
    assert edge_loss(image + 5, image).item() == pytest.approx(0, abs=1e-12)


def test_large_differences_cost_their_mean_absolute_laplacian() -> None:
    fake, real = 100 * torch.rand(1, 1, 16, 16), torch.zeros(1, 1, 16, 16)
    wanted = laplacian(fake).abs().mean().item()
    assert edge_loss(fake, real).item() == pytest.approx(wanted, rel=1e-3)


def test_gradient_is_right() -> None:
    fake = torch.rand(1, 1, 5, 5, dtype=torch.float64, requires_grad=True)
    real = torch.rand(1, 1, 5, 5, dtype=torch.float64)

    def loss(image: torch.Tensor) -> torch.Tensor:
        return edge_loss(image, real, 0.1)

    assert torch.autograd.gradcheck(loss, (fake,), fast_mode=True)
