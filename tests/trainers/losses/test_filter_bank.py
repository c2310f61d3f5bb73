from __future__ import annotations

import torch

from trainers.losses.filter_bank import FilterBank, gaussian_derivatives


def test_derivatives_do_not_answer_to_a_flat_image() -> None:
    torch.testing.assert_close(gaussian_derivatives().sum((1, 2, 3)), torch.zeros(5))


def test_first_derivative_across_answers_to_a_ramp_across() -> None:
    ramp = torch.arange(32.0).expand(1, 1, 32, 32)
    response = FilterBank(scales=1)(ramp)[0][0, :, 16, 16]
    assert response[0].abs() > 0.9
    assert response[1:5].abs().max() < 1e-5


def test_one_tensor_a_scale_with_channels_in_the_batch() -> None:
    shapes = [tuple(level.shape) for level in FilterBank()(torch.rand(2, 3, 32, 40))]
    assert shapes == [(6, 10, 32, 40), (6, 10, 16, 20), (6, 10, 8, 10)]


def test_gradient_is_finite_on_a_flat_image() -> None:
    image = torch.zeros(1, 1, 16, 16, requires_grad=True)
    torch.stack([level.sum() for level in FilterBank()(image)]).sum().backward()
    assert image.grad is not None
    assert torch.isfinite(image.grad).all()
