"""The denoising network and its normalisation, shared by serving and training.

A residual U-Net in the line of RED-CNN and ResNet, made cheap enough for a CPU: the image is folded
2 x 2 into channels (8 GMAC for one 512 x 512 slice). It sees a slice with its neighbours and
predicts what to add to it.
No batch statistics, no clipping of the output, no control flow on values.
"""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn
from torch.nn import functional

from pipelines.folded_unet import FoldedUnetBody, ResidualBlock
from pipelines.folded_unet import blocks as residual_blocks

CONTEXT = 1
"""Neighbouring slices that the network sees on each side; at the ends of a series they repeat."""

SEEN_HU = (-1100.0, 1900.0)
"""What the network sees is bounded by these; values beyond pass through unchanged."""

FADE_HU = 100.0
"""Beyond `SEEN_HU` the correction fades to nothing over this many HU."""

CENTRE_HU = 50.0
SCALE_HU = 250.0
CORRECTION_HU = 100.0
"""Input is (HU - CENTRE_HU) / SCALE_HU; one unit of the network's output is CORRECTION_HU."""


class DenoisingNetwork(FoldedUnetBody):
    """Estimates the middle slice of a stack as it would look at full dose.

    Args:
        channels: features at 1/2, 1/4, 1/8 … of the resolution.
        blocks: residual blocks on each side of every level; the lowest has twice as many.
        context: neighbouring slices on each side.
    """

    def __init__(
        self,
        channels: tuple[int, ...] = (32, 64, 128),
        blocks: int = 1,
        context: int = CONTEXT,
    ) -> None:
        planes = 2 * context + 1
        level, bottom = partial(residual_blocks, count=blocks), 2 * blocks
        super().__init__(planes, channels, level, residual_blocks(channels[-1], bottom))
        self.context = context
        self._initialise()

    def _initialise(self) -> None:
        """Start as the identity: every residual branch and the tail begin at zero."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
        for module in self.modules():
            if isinstance(module, ResidualBlock):
                nn.init.zeros_(module.second.weight)
        nn.init.zeros_(self.tail.weight)

    def forward(self, slices: Tensor) -> Tensor:
        """Denoise the middle slice.

        Args:
            slices: (B, 2 * context + 1, H, W), HU, neighbours in order; any H and W.

        Returns:
            (B, 1, H, W), HU; equal to the middle slice where that is out of `SEEN_HU` by more than
            `FADE_HU` (metal, padding).
        """
        return self.finish(slices, self.correction(self.prepare(slices)))

    def prepare(self, slices: Tensor) -> Tensor:
        """Normalise (B, C, H, W) HU and pad right and below to whole multiples."""
        height, width = slices.shape[-2], slices.shape[-1]
        seen = (slices.clamp(*SEEN_HU) - CENTRE_HU) / SCALE_HU
        padding = (0, -width % self.multiple, 0, -height % self.multiple)
        return functional.pad(seen, padding, mode="replicate")

    def finish(self, slices: Tensor, correction: Tensor) -> Tensor:
        """Add the (B, 1, H, W) correction, padding cut off, to the middle slices."""
        height, width = slices.shape[-2], slices.shape[-1]
        middle = slices[:, self.context : self.context + 1]
        correction = correction[..., :height, :width].to(middle.dtype) * CORRECTION_HU
        beyond = (middle - middle.clamp(*SEEN_HU)).abs()
        return middle + correction * (1.0 - beyond / FADE_HU).clamp(min=0.0)

    def correction(self, seen: Tensor) -> Tensor:
        """The U-Net itself: (B, C, H, W) normalised slices to a (B, 1, H, W) correction.

        Engines translate this part: convolutions, ReLU, addition and pixel shuffles only.
        """
        return self.image_of(functional.relu(self.features(seen)))
