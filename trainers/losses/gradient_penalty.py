"""Gradient penalty that holds a WGAN critic near slope one (Gulrajani et al. 2017)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def gradient_penalty(
    critic: Callable[[Tensor], Tensor],
    real: Tensor,
    fake: Tensor,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Mean squared distance from 1 of the critic's slope between real and fake images.

    Multiply by the usual 10. The result has a graph, so that the critic can be trained on it.

    Args:
        critic: maps (batch, ...) to scores; several scores an image are summed.
        real: images (batch, ...).
        fake: images of the same shape.
        generator: source of the random points, on the images' device.
    """
    shape = (len(real),) + (1,) * (real.ndim - 1)
    share = torch.rand(shape, generator=generator, device=real.device, dtype=real.dtype)
    between = (share * real.detach() + (1 - share) * fake.detach()).requires_grad_()
    scores = critic(between).sum()
    (slope,) = torch.autograd.grad(scores, between, create_graph=True)
    norms: Tensor = torch.linalg.vector_norm(slope.flatten(1), dim=1)
    return ((norms - 1) ** 2).mean()
