"""The residual U-Net for data that has pairs: five neighbouring T1 slices to one slice of CT."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipelines.folded_unet import FoldedUnetBody, ResidualBlock
from pipelines.folded_unet import blocks as residual_blocks
from pipelines.mr_to_ct.scaling import to_hu

LEVELS = (1, 2, 3, 4)
"""Features at 1/2, 1/4, 1/8 and 1/16 of the resolution, in units of the width."""

RESIDUAL_START = 0.5
"""Loudness of residual branches before training."""


class ResidualUNet(FoldedUnetBody):
    """Maps MR slices with their neighbours to CT.

    Args:
        planes: input images: slices of one modality or of several, neighbours included.
        width: features at half the resolution; two, three and four times as many at each level
            below.
        blocks: residual blocks on each side of every level; the lowest has twice as many.
    """

    def __init__(self, planes: int, width: int = 32, blocks: int = 1) -> None:
        channels = tuple(width * level for level in LEVELS)
        level, bottom = partial(residual_blocks, count=blocks), 2 * blocks
        super().__init__(planes + 1, channels, level, residual_blocks(channels[-1], bottom))
        self._initialise()

    def _initialise(self) -> None:
        """Every path starts with the same variance; residual branches start at half.

        Between levels there is no ReLU, so a ReLU's gain would make the deepest, coarsest path
        sixty times as loud as the finest one; branches that start at zero learn three times as
        slowly here, where the output is no correction of the input.
        """
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="linear")
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
        for module in self.modules():
            if isinstance(module, ResidualBlock):
                nn.init.kaiming_normal_(module.first.weight, nonlinearity="relu")
                with torch.no_grad():
                    module.second.weight.mul_(RESIDUAL_START)

    def forward(self, planes: Tensor) -> Tensor:
        """Map (B, planes, H, W), intensities of 1 for the bright end, to (B, 1, H, W), HU."""
        return self.finish(planes, self.correction(self.prepare(planes)))

    def prepare(self, planes: Tensor) -> Tensor:
        """Add a plane that is 1 where no image was taken, and continue to whole multiples.

        Exact zeros are padding: registration, gradient unwarping and masking leave them. Air has
        noise. What lies under padding is not known, and must not be taken for air.

        Args:
            planes: (B, planes, H, W).

        Returns:
            (B, planes + 1, H', W').
        """
        height, width = planes.shape[-2], planes.shape[-1]
        middle = planes[:, planes.shape[1] // 2 :][:, :1]
        seen = torch.cat([planes, (middle <= 0).to(planes.dtype)], dim=1)
        padding = (0, -width % self.multiple, 0, -height % self.multiple)
        return functional.pad(seen, padding, mode="replicate")

    def finish(self, planes: Tensor, output: Tensor) -> Tensor:
        """Cut the padding off and give (B, 1, H, W) in HU."""
        height, width = planes.shape[-2], planes.shape[-1]
        return to_hu(output[..., :height, :width].to(planes.dtype))

    def correction(self, seen: Tensor) -> Tensor:
        """The U-Net itself: (B, planes + 1, H, W) to (B, 1, H, W), in units of `to_hu`."""
        return self.image_of(self.features(seen))
