"""The generators of Rofena et al. (arXiv 2308.00471): autoencoder, Pix2Pix, CycleGAN.

All map (B, 1, 256, 256), 0 to 1, to the recombined image as shown, 0 to 1, by a sigmoid at the end.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional


class Generator(nn.Module):
    """What all generators share: the sigmoid stands apart, so that engines run what is before."""

    def forward(self, seen: Tensor) -> Tensor:
        """Map (B, 1, H, W) to (B, 1, H, W), both 0 to 1."""
        return self.finish(seen, self.correction(self.prepare(seen)))

    def prepare(self, seen: Tensor) -> Tensor:
        """Nothing to do: the frame has the network's size."""
        return seen

    def correction(self, seen: Tensor) -> Tensor:
        """The network itself, to log odds of the display value."""
        raise NotImplementedError

    def finish(self, seen: Tensor, output: Tensor) -> Tensor:
        """Log odds to display values."""
        return torch.sigmoid(output.to(seen.dtype))


class _Stage(nn.Module):
    """Two 3 x 3 convolutions with batch normalisation, and a 3 x 3 shortcut."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, after, 3, padding=1)
        self.first_norm = nn.BatchNorm2d(after)
        self.second = nn.Conv2d(after, after, 3, padding=1)
        self.second_norm = nn.BatchNorm2d(after)
        self.shortcut = nn.Conv2d(before, after, 3, padding=1)
        self.shortcut_norm = nn.BatchNorm2d(after)
        self.last_norm = nn.BatchNorm2d(after)

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, before, H, W) to (B, after, H, W)."""
        hidden = functional.relu(self.first_norm(self.first(features)))
        hidden = self.second_norm(self.second(hidden)) + self.shortcut_norm(self.shortcut(features))
        output: Tensor = self.last_norm(functional.relu(hidden))
        return output


class Autoencoder(Generator):
    """Residual U-Net: 24, 48, 96, 192 channels, max pooling, nearest neighbours upwards."""

    def __init__(self, channels: tuple[int, ...] = (24, 48, 96, 192)) -> None:
        super().__init__()
        self.down = nn.ModuleList(
            _Stage(before, after)
            for before, after in zip((1, *channels[:-1]), channels, strict=True)
        )
        self.up = nn.ModuleList(
            _Stage(coarse + fine, fine)
            for fine, coarse in reversed(list(itertools.pairwise(channels)))
        )
        self.last = nn.Conv2d(channels[0], 1, 1)

    def correction(self, seen: Tensor) -> Tensor:
        """(B, 1, H, W), sides multiples of 8, to log odds."""
        skips: list[Tensor] = []
        features = seen
        for stage in self.down:
            features = stage(functional.max_pool2d(features, 2) if skips else features)
            skips.append(features)
        skips.pop()
        for stage in self.up:
            features = functional.interpolate(features, scale_factor=2.0, mode="nearest")
            features = stage(torch.cat([features, skips.pop()], dim=1))
        output: Tensor = self.last(features)
        return output


class UNetGenerator(Generator):
    """Pix2Pix's U-Net of eight downsamplings, 64 to 512 channels, dropout in the first three up."""

    def __init__(self, width: int = 64, levels: int = 8) -> None:
        super().__init__()
        widths = [width * min(2**level, 8) for level in range(levels)]
        self.down = nn.ModuleList()
        for level, after in enumerate(widths):
            before = 1 if level == 0 else widths[level - 1]
            normed = 0 < level < levels - 1
            self.down.append(_halved(before, after, active=level > 0, normed=normed))
        self.up = nn.ModuleList()
        for level in range(levels - 1, 0, -1):
            before = widths[level] * (1 if level == levels - 1 else 2)
            dropped = levels - 1 - level < 3
            self.up.append(_doubled(before, widths[level - 1], dropped=dropped))
        self.last = nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(2 * widths[0], 1, 4, 2, 1))

    def correction(self, seen: Tensor) -> Tensor:
        """(B, 1, 256, 256) to log odds."""
        skips: list[Tensor] = []
        features = seen
        for stage in self.down:
            features = stage(features)
            skips.append(features)
        skips.pop()
        for stage in self.up:
            features = torch.cat([stage(features), skips.pop()], dim=1)
        output: Tensor = self.last(features)
        return output


def _halved(before: int, after: int, *, active: bool, normed: bool) -> nn.Sequential:
    layers: list[nn.Module] = [nn.LeakyReLU(0.2)] if active else []
    layers.append(nn.Conv2d(before, after, 4, 2, 1))
    return nn.Sequential(*layers, *([nn.BatchNorm2d(after)] if normed else []))


def _doubled(before: int, after: int, *, dropped: bool) -> nn.Sequential:
    layers = [nn.ReLU(), nn.ConvTranspose2d(before, after, 4, 2, 1), nn.BatchNorm2d(after)]
    return nn.Sequential(*layers, *([nn.Dropout(0.5)] if dropped else []))


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect"),
            nn.InstanceNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect"),
            nn.InstanceNorm2d(channels),
        )

    def forward(self, features: Tensor) -> Tensor:
        change: Tensor = self.layers(features)
        return features + change


class ResidualGenerator(Generator):
    """CycleGAN's generator: two downsamplings, nine residual blocks, instance normalisation."""

    def __init__(self, width: int = 64, blocks: int = 9) -> None:
        super().__init__()
        layers: list[nn.Module] = [_wide(1, width), nn.InstanceNorm2d(width), nn.ReLU()]
        for channels in (width, 2 * width):
            layers.append(nn.Conv2d(channels, 2 * channels, 3, 2, 1))
            layers += [nn.InstanceNorm2d(2 * channels), nn.ReLU()]
        layers += [_Residual(4 * width) for _ in range(blocks)]
        for channels in (4 * width, 2 * width):
            layers.append(nn.ConvTranspose2d(channels, channels // 2, 3, 2, 1, 1))
            layers += [nn.InstanceNorm2d(channels // 2), nn.ReLU()]
        self.layers = nn.Sequential(*layers, _wide(width, 1))

    def correction(self, seen: Tensor) -> Tensor:
        """(B, 1, H, W), sides multiples of 4, to log odds."""
        output: Tensor = self.layers(seen)
        return output


def _wide(before: int, after: int) -> nn.Conv2d:
    return nn.Conv2d(before, after, 7, padding=3, padding_mode="reflect")
