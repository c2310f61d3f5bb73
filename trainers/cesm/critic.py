"""The 70 x 70 PatchGAN of virtual contrast enhancement, on display values."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch
from torch import Tensor, nn


class DisplayCritic(nn.Module):
    """Scores each overlapping patch of 70 x 70 pixels as real or made.

    Args:
        images: 2 judges a recombined image together with its low-energy image (Pix2Pix), 1 alone.
        norm: batch normalisation in Pix2Pix, instance normalisation in CycleGAN.
        width: features of the first layer.
    """

    def __init__(
        self,
        images: int = 1,
        norm: Callable[[int], nn.Module] = nn.InstanceNorm2d,
        width: int = 64,
    ) -> None:
        super().__init__()
        widths = (images, width, 2 * width, 4 * width, 8 * width)
        layers: list[nn.Module] = []
        for level, (before, after) in enumerate(itertools.pairwise(widths)):
            layers.append(nn.Conv2d(before, after, 4, stride=2 if level < 3 else 1, padding=1))
            layers += [norm(after)] if level > 0 else []
            layers.append(nn.LeakyReLU(0.2))
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4, padding=1))

    def forward(self, *images: Tensor) -> Tensor:
        """Map (B, 1, H, W) each to (B, 1, h, w) scores."""
        scores: Tensor = self.layers(torch.cat(images, dim=1))
        return scores
