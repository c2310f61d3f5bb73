"""The networks from CT to uptake, and what they are shown: shared by serving and training.

`UptakeNetwork` is what is shipped: a residual U-Net on cubes folded 2 x 2 x 2, without
normalisation layers, so that a patch and a whole body give the same values away from borders.
`PatchGenerator` is the generator of 3-D Pix2Pix and CycleGAN (5 levels, instance normalisation,
patches of 32 cubes), kept beside it for comparison.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name that everybody knows
from torch import Tensor, nn

from pipelines.ct_to_pet.grid import Cubes

CHANNELS = 3
"""What the network sees of each cube: the whole range of HU, soft tissue, and its unevenness."""

WHOLE_HU = (-1024.0, 1500.0)
SOFT_HU = (-200.0, 300.0)
"""Clipping of the first and of the other two channels."""

AIR = (-1.0, -2.2, 0.0)
"""What the channels hold where there is air: padding of patches."""

SUV_RANGE = 20.0
"""Where a network ends in tanh, 1 stands for this SUV (Pix2Pix and CycleGAN)."""

WIDTHS = (24, 48, 64, 64)
"""Features at 8, 16, 32 and 64 mm."""


def quantities(hu: Cubes) -> Cubes:
    """What of a CT is averaged into cubes: (3, rows, columns) of one slice (rows, columns)."""
    soft = np.clip(hu, *SOFT_HU)
    return np.stack([np.clip(hu, *WHOLE_HU), soft, soft * soft / SOFT_HU[1]])


def channels(averages: Cubes) -> Cubes:
    """What a network is shown, (3, z, y, x), from `quantities` averaged in cubes."""
    whole, soft, square = averages
    deviation = np.sqrt(np.maximum(square * SOFT_HU[1] - soft * soft, 0))
    return np.stack([whole / 1000, (soft - 20) / 100, deviation / 50]).astype(np.float32)


class Residual(nn.Module):
    """Two convolutions beside a shortcut; starts as the shortcut alone."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.first = nn.Conv3d(before, after, 3, padding=1)
        self.second = nn.Conv3d(after, after, 3, padding=1)
        self.shortcut = nn.Conv3d(before, after, 1) if before != after else nn.Identity()
        nn.init.zeros_(self.second.weight)

    def forward(self, value: Tensor) -> Tensor:
        """Map (B, before, D, H, W) to (B, after, D, H, W)."""
        change = self.second(F.leaky_relu(self.first(F.leaky_relu(value, 0.1)), 0.1))
        result: Tensor = self.shortcut(value) + change
        return result


class UptakeNetwork(nn.Module):
    """Residual U-Net: (B, 3, D, H, W) channels to (B, 1, D, H, W) SUV; D, H, W even.

    Args:
        widths: features at each level, at twice the cubes' edge first.
        dropout: share of the features below the first level that a training step leaves out.
    """

    def __init__(self, widths: Sequence[int] = WIDTHS, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = dropout
        self.down = nn.ModuleList(
            Residual(before, after) for before, after in pairwise((CHANNELS * 8, *widths))
        )
        self.up = nn.ModuleList(Residual(above + below, above) for above, below in pairwise(widths))
        self.last = nn.Conv3d(widths[0], 8, 3, padding=1)

    def forward(self, seen: Tensor) -> Tensor:
        """SUV of every cube, never below 0."""
        return self.uptake_of(self.features(seen))

    def uptake_of(self, features: Tensor) -> Tensor:
        """SUV from `features`."""
        return unfolded(F.softplus(self.last(features)))

    def features(self, seen: Tensor) -> Tensor:
        """What SUV is read from: (B, widths[0], D/2, H/2, W/2)."""
        value = folded(seen)
        kept: list[Tensor] = []
        for level, block in enumerate(self.down):
            value = block(F.avg_pool3d(value, 2, ceil_mode=True) if level else value)
            if level and self.dropout:
                value = F.dropout3d(value, self.dropout, self.training)
            kept.append(value)
        for level in reversed(range(len(self.up))):
            wide = F.interpolate(value, size=kept[level].shape[2:], mode="trilinear")
            value = self.up[level](torch.cat([wide, kept[level]], dim=1))
        return value


def folded(value: Tensor) -> Tensor:
    """Cubes 2 x 2 x 2 become features: (B, C, D, H, W) to (B, 8 C, D/2, H/2, W/2)."""
    batch, count, depth, height, width = value.shape
    split = value.view(batch, count, depth // 2, 2, height // 2, 2, width // 2, 2)
    turned = split.permute(0, 1, 3, 5, 7, 2, 4, 6)
    return turned.reshape(batch, count * 8, depth // 2, height // 2, width // 2)


def unfolded(value: Tensor) -> Tensor:
    """The way back of `folded`."""
    batch, count, depth, height, width = value.shape
    split = value.view(batch, count // 8, 2, 2, 2, depth, height, width)
    turned = split.permute(0, 1, 5, 2, 6, 3, 7, 4)
    return turned.reshape(batch, count // 8, depth * 2, height * 2, width * 2)


class PatchGenerator(nn.Module):
    """3-D Pix2Pix's generator: (B, C, 32, 32, 32) to (B, 1, 32, 32, 32) in -1 to 1.

    Five levels of convolutions 4 x 4 x 4 with stride 2 (w, 2w, 4w, 8w, 8w features), their
    mirror image with skips taken after normalisation, tanh. As the authors' code has it, first
    and last level are not normalised; nor is the innermost, whose single cube would become 0.

    Args:
        width: features of the first level; 64 in the paper, 66 million parameters.
        inputs: channels that go in; `CHANNELS` from CT, 1 from PET (CycleGAN's way back).
        outputs: channels that come out.
    """

    def __init__(self, width: int = 64, inputs: int = CHANNELS, outputs: int = 1) -> None:
        super().__init__()
        widths = [width * factor for factor in (1, 2, 4, 8, 8)]
        self.down = nn.ModuleList(
            nn.Conv3d(before, after, 4, 2, 1) for before, after in pairwise((inputs, *widths))
        )
        outer = [*reversed(widths[:-1]), outputs]
        inner = [widths[-1], *(2 * features for features in reversed(widths[:-1]))]
        self.up = nn.ModuleList(
            nn.ConvTranspose3d(before, after, 4, 2, 1)
            for before, after in zip(inner, outer, strict=True)
        )

    def forward(self, seen: Tensor) -> Tensor:
        """Translate patches."""
        kept: list[Tensor] = []
        value = seen
        for level, layer in enumerate(self.down):
            value = layer(F.leaky_relu(value, 0.2) if level else value)
            if 0 < level < len(self.down) - 1:
                value = F.instance_norm(value)
            kept.append(value)
        for level, layer in enumerate(self.up):
            if level:
                value = torch.cat([value, kept[-1 - level]], dim=1)
            value = layer(F.relu(value))
            if level < len(self.up) - 1:
                value = F.instance_norm(value)
        made: Tensor = torch.tanh(value)
        return made


class GeneratedUptake(nn.Module):
    """A generator's output as SUV: the range -1 to 1 stands for nothing, tanh may be negative."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.generator = PatchGenerator(width)

    def forward(self, seen: Tensor) -> Tensor:
        """SUV of every cube; the part of tanh below 0 is cut (0 to 1 is what it was trained on)."""
        made: Tensor = self.generator(seen)
        return SUV_RANGE * made.clamp(0, 1)


def network_for(backbone: str, widths: Sequence[int]) -> nn.Module:
    """The network that a file of weights says that it is for.

    Args:
        backbone: `residual_unet` or `generator`.
        widths: features at each level; of a generator those of the first.
    """
    if backbone == "generator":
        return GeneratedUptake(widths[0])
    if backbone != "residual_unet":
        raise ValueError(f"A backbone is residual_unet or generator, got {backbone!r}.")
    return UptakeNetwork(widths)
