from __future__ import annotations

import pytest
import torch
from skimage.metrics import structural_similarity

from trainers.losses.ssim import ssim_loss


def test_equal_images_cost_nothing() -> None:
    image = torch.rand(2, 1, 32, 32, dtype=torch.float64) * 2 - 1
    assert ssim_loss(image, image).item() == pytest.approx(0, abs=1e-12)


def test_agrees_with_scikit_image() -> None:
    real = torch.rand(1, 1, 128, 128, dtype=torch.float64) * 2 - 1
    fake = (real + 0.2 * torch.randn_like(real)).clamp(-1, 1)
    wanted = structural_similarity(
        (fake[0, 0] + 1).numpy(),
        (real[0, 0] + 1).numpy(),
        data_range=2,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert 1 - ssim_loss(fake, real).item() == pytest.approx(wanted, abs=2e-3)  # borders differ


def test_the_range_may_start_anywhere() -> None:
    real, fake = torch.rand(1, 1, 16, 16), torch.rand(1, 1, 16, 16)
    shifted = ssim_loss(fake * 400 - 160, real * 400 - 160, low=-160, high=240)
    torch.testing.assert_close(shifted, ssim_loss(fake, real, low=0, high=1), rtol=1e-3, atol=1e-3)


def test_gradient_points_to_the_label() -> None:
    real = torch.rand(1, 1, 16, 16, dtype=torch.float64)
    fake = torch.rand(1, 1, 16, 16, dtype=torch.float64, requires_grad=True)
    before = ssim_loss(fake, real)
    before.backward()
    assert fake.grad is not None
    assert ssim_loss(fake - 0.1 * fake.grad, real).item() < before.item()
