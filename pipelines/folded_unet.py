"""The residual U-Net on folded images that three pipelines serve, each with a head of its own.

The image is folded into channels, so that every convolution works at half the resolution or less.
Convolutions, ReLU, addition and pixel shuffles only: every engine can run it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions whose result is added to the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same shape."""
        change: Tensor = self.second(functional.relu(self.first(features)))
        return features + change


def blocks(channels: int, count: int) -> nn.Sequential:
    """So many residual blocks, one after the other."""
    return nn.Sequential(*(ResidualBlock(channels) for _ in range(count)))


class FoldedUnetBody(nn.Module):
    """The U-Net, without how its parameters start and what its last features become.

    Args:
        planes: images that are folded.
        channels: features at each level, the finest first; each level halves the resolution.
        level: residual blocks of so many features, on each side of a level.
        bottom: those of the lowest level.
        fold: rows and columns that are folded into channels.
    """

    def __init__(
        self,
        planes: int,
        channels: Sequence[int],
        level: Callable[[int], nn.Module],
        bottom: nn.Module,
        fold: int = 2,
    ) -> None:
        super().__init__()
        self.fold = fold
        self.multiple = fold * 2 ** (len(channels) - 1)
        pairs = list(pairwise(channels))
        self.head = nn.Conv2d(fold * fold * planes, channels[0], 3, padding=1)
        self.encoders = nn.ModuleList(level(fine) for fine, _ in pairs)
        self.downs = nn.ModuleList(nn.Conv2d(fine, coarse, 2, stride=2) for fine, coarse in pairs)
        self.bottom = bottom
        self.ups = nn.ModuleList(nn.Conv2d(coarse, 4 * fine, 1) for fine, coarse in pairs)
        self.decoders = nn.ModuleList(level(fine) for fine, _ in pairs)
        self.tail = nn.Conv2d(channels[0], fold * fold, 3, padding=1)

    def features(self, seen: Tensor) -> Tensor:
        """What the last layer reads.

        Args:
            seen: (B, planes, H, W), H and W whole multiples of `multiple`.

        Returns:
            (B, channels[0], H / fold, W / fold).
        """
        value: Tensor = self.head(functional.pixel_unshuffle(seen, self.fold))
        skips: list[Tensor] = []
        for encode, down in zip(self.encoders, self.downs, strict=True):
            value = encode(value)
            skips.append(value)
            value = down(value)
        value = self.bottom(value)
        for up, decode in zip(reversed(self.ups), reversed(self.decoders), strict=True):
            value = functional.pixel_shuffle(up(value), 2) + skips.pop()
            value = decode(value)
        return value

    def image_of(self, features: Tensor) -> Tensor:
        """(B, 1, H, W) from `features`."""
        return functional.pixel_shuffle(self.tail(features), self.fold)
