"""Several modalities through engines that are fed one image a slice: one below the other.

Engines read slabs of single images with neighbours. A slice of IP and OOP travels as one tall
image, IP above OOP, and is parted again in front of the network.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from torch import Tensor, nn

from pipelines.contract import Slice


class Stacked(nn.Module):
    """A network of this pipeline behind the interface that engines know.

    Args:
        network: maps (B, modalities x slices, H, W) to (B, 1, H, W).
        modalities: how many images lie below each other.
    """

    def __init__(self, network: nn.Module, modalities: int) -> None:
        super().__init__()
        self.network = network
        self.modalities = modalities

    def forward(self, tall: Tensor) -> Tensor:
        """Map (B, slices, modalities x H, W) to (B, 1, H, W), HU."""
        output: Tensor = self.network(self._parted(tall))
        return output

    def prepare(self, tall: Tensor) -> Tensor:
        """Part the modalities, and prepare them as the network does."""
        seen: Tensor = self.network.prepare(self._parted(tall))  # type: ignore[operator]
        return seen

    def correction(self, seen: Tensor) -> Tensor:
        """The network's inner part."""
        output: Tensor = self.network.correction(seen)  # type: ignore[operator]
        return output

    def finish(self, tall: Tensor, output: Tensor) -> Tensor:
        """HU without padding, (B, 1, H, W)."""
        hu: Tensor = self.network.finish(self._parted(tall), output)  # type: ignore[operator]
        return hu

    def _parted(self, tall: Tensor) -> Tensor:
        """(B, slices, M H, W) to (B, M slices, H, W), slices fastest."""
        if self.modalities == 1:
            return tall
        batch, slices, rows, columns = tall.shape
        parted = tall.reshape(batch, slices, self.modalities, rows // self.modalities, columns)
        return parted.transpose(1, 2).reshape(
            batch, self.modalities * slices, rows // self.modalities, columns
        )


def stacked(modalities: Sequence[Iterable[Slice]]) -> Iterator[Slice]:
    """Slices of several modalities as tall images, (modalities x rows, columns)."""
    for images in zip(*modalities, strict=True):
        yield np.concatenate(images)
