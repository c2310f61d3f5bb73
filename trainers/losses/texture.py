"""Multi-scale texture loss: Haralick contrast at four angles and four distances.

After Di Feola et al., arXiv 2403.16640 (their equations; see `legacy_texture` for their code).
Use it on paired output and label, or in CycleGAN on the *cycle reconstruction* (rec_A against A,
rec_B against B), not on the translated image. Published weights: 0.001 for max, mean and
Frobenius; 1 for attention.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from trainers.losses.legacy_texture import LegacyAttention, legacy_descriptor
from trainers.losses.soft_glcm import Binning, Offset, soft_contrast, soft_moments
from trainers.losses.texture_aggregation import AGGREGATIONS, AttentionAggregation

ANGLES_DEGREES = (0, 45, 90, 135)
DISTANCES_PIXELS = (1, 3, 5, 7)


def offset_of(angle_degrees: float, distance: float) -> Offset:
    """Steps (rows, columns) nearest to `distance` pixels at `angle_degrees`, as scikit-image's."""
    angle = math.radians(angle_degrees)
    return round(math.sin(angle) * distance), round(math.cos(angle) * distance)


def texture_descriptor(image: Tensor, binning: Binning | None = None) -> Tensor:
    """Contrast (batch, 4 angles, 4 distances) in bins squared of images (batch, 1, rows, columns).

    Angles and distances are `ANGLES_DEGREES` and `DISTANCES_PIXELS`.
    """
    moments = soft_moments(image, binning or Binning())
    grid = [
        torch.stack([soft_contrast(moments, offset_of(angle, step)) for step in DISTANCES_PIXELS])
        for angle in ANGLES_DEGREES
    ]
    return torch.stack(grid).permute(2, 0, 1)  # (angles, distances, B) -> (B, angles, distances)


class TextureLoss(nn.Module):
    """Distance between the textures of two batches of images.

    Args:
        aggregation: "max", "mean", "frobenius" or "attention".
        binning: grey-level bins; by default 256 centres from -1 to 1, sigma half a bin.
        legacy_code: behave as the authors' public code does, faults included; for comparison only.
    """

    def __init__(
        self,
        aggregation: str = "mean",
        binning: Binning | None = None,
        legacy_code: bool = False,
    ) -> None:
        super().__init__()
        known = [*AGGREGATIONS, "attention"]
        if aggregation not in known:
            raise ValueError(f"An aggregation is one of {', '.join(known)}, got {aggregation!r}.")
        if legacy_code and binning is not None:
            raise ValueError("legacy_code has bins of its own; leave binning out.")
        self.aggregation = aggregation
        self.binning = binning or Binning()
        self.legacy_code = legacy_code
        if aggregation == "attention":
            self.attention = LegacyAttention() if legacy_code else AttentionAggregation()

    def forward(self, fake: Tensor, real: Tensor) -> Tensor:
        """One number for `fake` against `real`, both (batch, 1, rows, columns)."""
        differences = (self._descriptor(fake) - self._descriptor(real).detach()).abs()
        if self.aggregation == "attention":
            result: Tensor = self.attention(differences)
            return result
        return AGGREGATIONS[self.aggregation](differences)

    def _descriptor(self, image: Tensor) -> Tensor:
        """The texture grid (batch, 4, 4) of `image`."""
        if self.legacy_code:
            return legacy_descriptor(image)
        return texture_descriptor(image, self.binning)
