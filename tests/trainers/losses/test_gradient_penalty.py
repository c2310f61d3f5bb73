from __future__ import annotations

import pytest
import torch
from torch import Tensor

from trainers.losses.gradient_penalty import gradient_penalty


@pytest.mark.parametrize(("slope", "wanted"), [(1.0, 0.0), (3.0, 4.0), (0.0, 1.0)])
def test_linear_critic(slope: float, wanted: float) -> None:
    direction = torch.randn(1, 8, 8, dtype=torch.float64)
    direction = slope * direction / direction.norm()

    def critic(image: Tensor) -> Tensor:
        score: Tensor = (image * direction).sum((1, 2, 3))
        return score

    real, fake = torch.rand(2, 3, 1, 8, 8, dtype=torch.float64)
    assert gradient_penalty(critic, real, fake).item() == pytest.approx(wanted, abs=1e-12)


def test_the_critic_can_be_trained_on_it() -> None:
    first, last = torch.nn.Conv2d(1, 4, 3), torch.nn.Conv2d(4, 1, 3)
    critic = torch.nn.Sequential(first, torch.nn.Tanh(), last)
    real, fake = torch.rand(2, 2, 1, 8, 8)
    gradient_penalty(critic, real, fake).backward()
    assert first.weight.grad is not None
    assert first.weight.grad.abs().max() > 0


def test_points_lie_between_and_repeat_with_the_seed() -> None:
    seen: list[Tensor] = []

    def critic(image: Tensor) -> Tensor:
        seen.append(image.detach())
        return image.sum()

    for _ in range(2):
        source = torch.Generator().manual_seed(4)
        gradient_penalty(critic, torch.zeros(5, 2), torch.ones(5, 2), source)
    torch.testing.assert_close(seen[0], seen[1])
    assert ((seen[0] >= 0) & (seen[0] <= 1)).all()
    assert (seen[0][:, 0] == seen[0][:, 1]).all()  # one share an image
