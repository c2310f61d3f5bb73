from __future__ import annotations

import pytest
import torch

from trainers.critics.patch_critic import PatchCritic


def test_a_score_sees_seventy_pixels() -> None:
    torch.manual_seed(0)
    critic = PatchCritic(8)
    image = torch.randn(1, 1, 160, 160, requires_grad=True)
    scores = critic.layers[0](image)  # the first layer alone sees four
    assert scores.shape[-1] == 80
    whole = critic(image)
    assert whole.shape == (1, 1, 18, 18)
    receptive = 1
    for layer in reversed([m for m in critic.layers if isinstance(m, torch.nn.Conv2d)]):
        receptive = (receptive - 1) * layer.stride[0] + layer.kernel_size[0]
    assert receptive == 70


def test_it_learns_to_tell_noise_from_flat() -> None:
    torch.manual_seed(0)
    critic = PatchCritic(8)
    optimiser = torch.optim.Adam(critic.parameters(), 2e-3)
    noisy, flat = 50 + 100 * torch.randn(4, 1, 64, 64), torch.full((4, 1, 64, 64), 50.0)
    flat += 5 * torch.randn_like(flat).cumsum(-1) / 8
    for _ in range(20):
        loss = (critic(noisy) - 1).square().mean() + critic(flat).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert critic(noisy).mean() > critic(flat).mean() + 0.3


def test_a_patch_that_is_too_small_is_an_error() -> None:
    with pytest.raises((RuntimeError, ValueError)):
        PatchCritic(8)(torch.zeros(1, 1, 8, 8))
