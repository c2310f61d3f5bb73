"""Fixed image features that need no weights: Gaussian derivatives and their energy, by scale."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - the name that everybody knows
from torch import Tensor, nn

RADIUS = 3
SIGMA_PIXELS = 1.0
ENERGY_FLOOR = 1e-6
"""Added under the root, so that its gradient stays finite on flat images."""


def gaussian_derivatives() -> Tensor:
    """Kernels (5, 1, 7, 7): first derivatives across and down, second across, mixed, down."""
    x = torch.arange(-RADIUS, RADIUS + 1, dtype=torch.float32) / SIGMA_PIXELS
    smooth = torch.exp(-(x**2) / 2)
    smooth = smooth / smooth.sum()
    first, second = -x * smooth, (x**2 - 1) * smooth
    second = second - second.mean()  # a sampled kernel would else answer to a flat image
    kernels = [
        torch.outer(smooth, first),
        torch.outer(first, smooth),
        torch.outer(smooth, second),
        torch.outer(first, first),
        torch.outer(second, smooth),
    ]
    return torch.stack(kernels).unsqueeze(1)


class FilterBank(nn.Module):
    """Responses and local energy of five derivative filters at several scales.

    Args:
        scales: number of scales, each half the size of the one before.
    """

    kernels: Tensor

    def __init__(self, scales: int = 3) -> None:
        super().__init__()
        self.scales = scales
        self.register_buffer("kernels", gaussian_derivatives())

    def forward(self, image: Tensor) -> list[Tensor]:
        """A tensor (batch * channels, 10, rows, columns) a scale.

        Images (batch, channels, rows, columns) need 4 * 2^(scales - 1) pixels a side.
        """
        level = image.flatten(0, 1).unsqueeze(1)  # (B C, 1, H, W)
        features = []
        for _ in range(self.scales):
            padded = F.pad(level, (RADIUS,) * 4, mode="reflect")
            response = F.conv2d(padded, self.kernels.to(image.dtype))
            energy = F.avg_pool2d(response**2, 3, stride=1, padding=1)
            features.append(torch.cat([response, torch.sqrt(energy + ENERGY_FLOOR)], dim=1))
            level = F.avg_pool2d(level, 2)
        return features
