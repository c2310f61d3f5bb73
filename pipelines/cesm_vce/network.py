"""The shipped network, and which networks this pipeline can serve; used by training, too.

A residual U-Net that folds the image 4 x 4 into channels, so that every convolution works at a
quarter of the resolution or less: enhancement is smooth, and detail comes from the low-energy image
(`carry.py`). The networks of the papers stand in `generators.py`; a site that trains one
of them names it in the weights (`generator` in the file's metadata), and it is served the same way.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from pipelines.cesm_vce.generators import Autoencoder, Generator, ResidualGenerator, UNetGenerator
from pipelines.folded_unet import FoldedUnetBody, ResidualBlock, blocks

FOLD = 4
"""Rows and columns that are folded into channels."""

START_LOG_ODDS = -1.15
"""Of the display value that an untrained network gives: 0.24, plain tissue."""

SMALL = 1e-2
"""Deviation of the first weights of what is added to something."""


class FoldedUNet(FoldedUnetBody, Generator):
    """The shipped network: convolutions, ReLU, addition and pixel shuffles only.

    Args:
        channels: features at 1/4, 1/8, 1/16 ... of the resolution.
    """

    def __init__(self, channels: tuple[int, ...] = (24, 48, 64)) -> None:
        super().__init__(1, channels, ResidualBlock, blocks(channels[-1], 2), FOLD)
        for module in self.modules():
            if isinstance(module, ResidualBlock):
                nn.init.normal_(module.second.weight, std=SMALL)
        # start from plain tissue everywhere: a sigmoid that saturates early never recovers
        nn.init.normal_(self.tail.weight, std=SMALL)
        nn.init.constant_(self.tail.bias, START_LOG_ODDS)  # type: ignore[arg-type]
        self.direct = nn.Conv2d(1, 1, 1)
        for parameter in self.direct.parameters():
            nn.init.zeros_(parameter)

    def correction(self, seen: Tensor) -> Tensor:
        """(B, 1, H, W), sides multiples of 16, to log odds of the display value."""
        smooth = self.image_of(self.features(seen))
        sharp: Tensor = self.direct(seen)
        return smooth + sharp

    def features(self, seen: Tensor) -> Tensor:
        """(B, 1, H, W) to (B, c0, H/4, W/4): what the last layer reads."""
        return functional.relu(super().features(seen))


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
