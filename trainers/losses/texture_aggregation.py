"""From a grid of texture differences (batch, angles, distances) to one number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch
import torch.nn.functional as F  # noqa: N812 - the name that everybody knows
from torch import Tensor, nn

SMALLEST_SCALE = 1e-6
"""Differences are divided by at least this, so that equal images give 0 and not 0/0."""


def largest(differences: Tensor) -> Tensor:
    """The largest difference of each image, averaged over the batch."""
    return differences.amax((1, 2)).mean()


def mean(differences: Tensor) -> Tensor:
    """The mean difference."""
    return differences.mean()


def frobenius(differences: Tensor) -> Tensor:
    """The Frobenius norm of each image's grid, averaged over the batch."""
    norms: Tensor = torch.linalg.vector_norm(differences, dim=(1, 2))
    return norms.mean()


AGGREGATIONS: Final[dict[str, Callable[[Tensor], Tensor]]] = {
    "max": largest,
    "mean": mean,
    "frobenius": frobenius,
}
"""The aggregations that have nothing to learn."""


class AttentionAggregation(nn.Module):
    """Self-attention over the cells of the grid: out = softplus(gamma) Att(d) + d, summed.

    Its parameters belong to the generator's optimiser. Two things differ from the published code,
    which lets the loss forget how large the error is and has a minimum at nothing: the grid is
    divided by a running maximum without gradient, not by its own range; gamma and the value
    weight pass through softplus, so that the sum cannot be driven below that of the differences.

    Args:
        decay: how much of the running maximum each training step keeps.
    """

    scale: Tensor

    def __init__(self, decay: float = 0.99) -> None:
        super().__init__()
        self.decay = decay
        self.query = nn.Parameter(torch.ones(()))
        self.key = nn.Parameter(torch.ones(()))
        self.value = nn.Parameter(torch.zeros(()))
        self.gamma = nn.Parameter(torch.tensor(-5.0))  # softplus: 0.007, the paper starts at 0
        self.register_buffer("scale", torch.zeros(()))

    def forward(self, differences: Tensor) -> Tensor:
        """One number for `differences` (batch, angles, distances), none of them negative."""
        if self.training:
            self.scale = torch.maximum(self.decay * self.scale, differences.detach().amax())
        cells = (differences / self.scale.clamp_min(SMALLEST_SCALE)).flatten(1)  # (B, 16)
        scores = (self.query * cells).unsqueeze(2) * (self.key * cells).unsqueeze(1)
        attention = torch.softmax(scores, dim=2)  # (B, 16, 16), each row sums to 1
        values = F.softplus(self.value) * cells
        attended = torch.einsum("bij,bj->bi", attention, values)
        return (F.softplus(self.gamma) * attended + cells).sum(1).mean()
