"""The 70 x 70 PatchGAN critic, for trainers with an adversarial term (Isola et al. 2017)."""

from __future__ import annotations

import itertools

from torch import Tensor, nn

CENTRE_HU, SCALE_HU = 50.0, 250.0


class PatchCritic(nn.Module):
    """Scores each overlapping patch of 70 x 70 pixels as real or made.

    Args:
        channels: features of the first layer; doubled at each of the next two.
    """

    def __init__(self, channels: int = 32) -> None:
        super().__init__()
        widths = (1, channels, 2 * channels, 4 * channels, 8 * channels)
        layers: list[nn.Module] = []
        for level, (before, after) in enumerate(itertools.pairwise(widths)):
            layers.append(nn.Conv2d(before, after, 4, stride=2 if level < 3 else 1, padding=1))
            if level > 0:
                layers.append(nn.InstanceNorm2d(after))
            layers.append(nn.LeakyReLU(0.2))
        layers.append(nn.Conv2d(widths[-1], 1, 4, padding=1))
        self.layers = nn.Sequential(*layers)

    def forward(self, image: Tensor) -> Tensor:
        """Map (B, 1, H, W) HU to (B, 1, h, w) scores."""
        scores: Tensor = self.layers((image - CENTRE_HU) / SCALE_HU)
        return scores
