"""The three-layer 3-D PatchGAN critic of the CT to PET models (n_layers 3, kernel 4, padding 2)."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn


class PatchCritic3d(nn.Module):
    """Scores overlapping patches of a volume as real or made.

    Args:
        width: features of the first layer; doubled up to eightfold.
        inputs: channels: CT with PET (Pix2Pix), or one of them (CycleGAN).
    """

    def __init__(self, width: int = 64, inputs: int = 1) -> None:
        super().__init__()
        widths = (inputs, width, 2 * width, 4 * width, 8 * width)
        layers: list[nn.Module] = []
        for level, (before, after) in enumerate(pairwise(widths)):
            layers.append(nn.Conv3d(before, after, 4, stride=2 if level < 3 else 1, padding=2))
            if level > 0:
                layers.append(nn.InstanceNorm3d(after))
            layers.append(nn.LeakyReLU(0.2))
        layers.append(nn.Conv3d(widths[-1], 1, 4, padding=2))
        self.layers = nn.Sequential(*layers)

    def forward(self, volume: Tensor) -> Tensor:
        """Map (B, inputs, D, H, W) to (B, 1, d, h, w) scores."""
        scores: Tensor = self.layers(volume)
        return scores
