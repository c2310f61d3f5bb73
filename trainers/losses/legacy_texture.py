"""The texture loss as the authors' public code behaves, faults included; for comparison only.

Written from a description of that code (no line of it is here). What differs from the equations:

1. All bin centres are -1 for 90 and 135 degrees: the matrix is uniform, contrast is
   (256^2 - 1) / 6 for any image, and half of the features have no gradient.
2. Sigma is 0.5 in a range of [-1, 1]: 64 bins wide. Weights are not normalised over the bins.
3. Features of a batch are joined along the batch axis and then reshaped, which mixes samples.
4. Attention normalises by the batch's own range: blind to scale, and 0/0 when fake equals real.
5. Gamma and the 1x1 convolutions may turn negative and drive the sum to nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trainers.losses.soft_glcm import SoftMoments, soft_contrast

LEVELS = 256
SIGMA = 0.5
"""In the image's unit, where [-1, 1] is the range."""
STRAIGHT_STEPS = (1, 3, 5, 7)
DIAGONAL_STEPS = (1, 2, 4, 6)


def _moments(image: Tensor, centres: Tensor) -> SoftMoments:
    """Bin moments of `image` (batch, 1, rows, columns) over all `centres` (levels,)."""
    weights = torch.exp(-((image - centres.view(1, -1, 1, 1)) ** 2) / (2 * SIGMA**2))
    bins = torch.arange(len(centres), device=image.device, dtype=image.dtype).view(1, -1, 1, 1)
    weight = weights.sum(1)
    mean = (weights * bins).sum(1) / weight
    variance = (weights * (bins - mean.unsqueeze(1)) ** 2).sum(1) / weight
    return SoftMoments(weight, mean, variance)


def legacy_descriptor(image: Tensor) -> Tensor:
    """The 16 contrasts of `image` (batch, 1, rows, columns) as (batch, 4, 4), samples mixed."""
    centres = torch.linspace(-1, 1, LEVELS, device=image.device, dtype=image.dtype)
    sound = _moments(image, centres)
    collapsed = _moments(image, torch.full_like(centres, -1))
    features = [soft_contrast(sound, (0, step)) for step in STRAIGHT_STEPS]
    features += [soft_contrast(sound, (step, step)) for step in DIAGONAL_STEPS]
    features += [soft_contrast(collapsed, (step, 0)) for step in STRAIGHT_STEPS]
    features += [soft_contrast(collapsed, (step, -step)) for step in DIAGONAL_STEPS]
    return torch.cat(features).view(len(image), 4, 4)


class LegacyAttention(nn.Module):
    """Self-attention over the grid with min-max normalisation and a free gamma that starts at 0."""

    def __init__(self) -> None:
        super().__init__()
        self.query = nn.Conv2d(1, 1, 1)
        self.key = nn.Conv2d(1, 1, 1)
        self.value = nn.Conv2d(1, 1, 1)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, differences: Tensor) -> Tensor:
        """One number for `differences` (batch, 4, 4); NaN when they are all equal."""
        smallest, largest = differences.min(), differences.max()
        grid = ((differences - smallest) / (largest - smallest)).unsqueeze(1)  # (B, 1, 4, 4)
        query, key, value = (layer(grid).flatten(1) for layer in (self.query, self.key, self.value))
        attention = torch.softmax(query.unsqueeze(2) * key.unsqueeze(1), dim=2)  # (B, 16, 16)
        attended = torch.einsum("bij,bj->bi", attention, value)
        return (self.gamma * attended + grid.flatten(1)).sum(1).mean().abs()
