"""The shipped network, and which networks this pipeline can serve; used by training, too.

A residual U-Net that folds the image 4 x 4 into channels, so that every convolution works at a
quarter of the resolution or less: enhancement is smooth, and detail comes from the low-energy image
(`carry.py`). The networks of the papers stand in `generators.py`; a site that trains one
of them names it in the weights (`generator` in the file's metadata), and it is served the same way.
"""

from __future__ import annotations

import itertools

from torch import Tensor, nn
from torch.nn import functional

from pipelines.cesm_vce.generators import Autoencoder, Generator, ResidualGenerator, UNetGenerator

FOLD = 4
"""Rows and columns that are folded into channels."""

START_LOG_ODDS = -1.15
"""Of the display value that an untrained network gives: 0.24, plain tissue."""

SMALL = 1e-2
"""Deviation of the first weights of what is added to something."""


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions whose result is added to the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.normal_(self.second.weight, std=SMALL)

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same shape."""
        change: Tensor = self.second(functional.relu(self.first(features)))
        return features + change


class FoldedUNet(Generator):
    """The shipped network: convolutions, ReLU, addition and pixel shuffles only.

    Args:
        channels: features at 1/4, 1/8, 1/16 ... of the resolution.
    """

    def __init__(self, channels: tuple[int, ...] = (24, 48, 64)) -> None:
        super().__init__()
        pairs = list(itertools.pairwise(channels))
        self.head = nn.Conv2d(FOLD * FOLD, channels[0], 3, padding=1)
        self.encoders = nn.ModuleList(ResidualBlock(fine) for fine, _ in pairs)
        self.downs = nn.ModuleList(nn.Conv2d(fine, coarse, 2, stride=2) for fine, coarse in pairs)
        self.bottom = nn.Sequential(ResidualBlock(channels[-1]), ResidualBlock(channels[-1]))
        self.ups = nn.ModuleList(nn.Conv2d(coarse, 4 * fine, 1) for fine, coarse in pairs)
        self.decoders = nn.ModuleList(ResidualBlock(fine) for fine, _ in pairs)
        self.tail = nn.Conv2d(channels[0], FOLD * FOLD, 3, padding=1)
        # start from plain tissue everywhere: a sigmoid that saturates early never recovers
        nn.init.normal_(self.tail.weight, std=SMALL)
        nn.init.constant_(self.tail.bias, START_LOG_ODDS)  # type: ignore[arg-type]
        self.direct = nn.Conv2d(1, 1, 1)
        for parameter in self.direct.parameters():
            nn.init.zeros_(parameter)

    def correction(self, seen: Tensor) -> Tensor:
        """(B, 1, H, W), sides multiples of 16, to log odds of the display value."""
        smooth = functional.pixel_shuffle(self.tail(self.features(seen)), FOLD)
        sharp: Tensor = self.direct(seen)
        return smooth + sharp

    def features(self, seen: Tensor) -> Tensor:
        """(B, 1, H, W) to (B, c0, H/4, W/4): what the last layer reads."""
        features = self.head(functional.pixel_unshuffle(seen, FOLD))  # (B, c0, H/4, W/4)
        skips: list[Tensor] = []
        for encode, down in zip(self.encoders, self.downs, strict=True):
            features = encode(features)
            skips.append(features)
            features = down(features)
        features = self.bottom(features)  # (B, c2, H/16, W/16)
        for up, decode in zip(reversed(self.ups), reversed(self.decoders), strict=True):
            features = functional.pixel_shuffle(up(features), 2) + skips.pop()
            features = decode(features)
        return functional.relu(features)


GENERATORS: dict[str, type[Generator]] = {
    "folded_unet": FoldedUNet,
    "autoencoder": Autoencoder,
    "pix2pix": UNetGenerator,
    "cyclegan": ResidualGenerator,
}
"""Networks by the name that stands in the weights."""


def build(name: str) -> Generator:
    """The network of that name, without trained weights."""
    if name not in GENERATORS:
        raise ValueError(f"A generator is one of {', '.join(GENERATORS)}, got {name!r}.")
    return GENERATORS[name]()
