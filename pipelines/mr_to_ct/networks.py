"""Which network a model of this pipeline is, in one record; serving and training build it here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from torch import Tensor, nn

from pipelines.mr_to_ct.generators import MultiGenerator, Shape, SingleGenerator
from pipelines.mr_to_ct.residual_unet import ResidualUNet


class Network(Protocol):
    """A network whose inner part stands apart from padding and units; engines run that part."""

    def prepare(self, planes: Tensor) -> Tensor:
        """(B, planes, H, W) to whole multiples of the network's strides."""

    def correction(self, seen: Tensor) -> Tensor:
        """The network itself, to (B, 1, H, W) in units of `scaling.to_hu`."""

    def finish(self, planes: Tensor, output: Tensor) -> Tensor:
        """(B, 1, H, W), HU, without the padding."""


@dataclass(frozen=True)
class Design:
    """A network and what it is fed.

    Attributes:
        generator: `residual_unet`, `single` or `multi`.
        inputs: keys of the modalities, in the order of the planes.
        context: neighbouring slices on each side; planes are modalities x slices, slices fastest.
        pixel_mm: distance of pixels that the network was trained at.
        width: features of the stem, or of the U-Net's first level.
        norm: of `single` and `multi`.
        merge: of `multi`.
    """

    generator: Literal["residual_unet", "single", "multi"]
    inputs: tuple[str, ...]
    context: int
    pixel_mm: float
    width: int = 64
    norm: Literal["instance", "none"] = "instance"
    merge: Literal["concat", "sum"] = "concat"

    @property
    def planes(self) -> int:
        """Images that the network gets for one slice of output."""
        return len(self.inputs) * (2 * self.context + 1)

    @property
    def shape(self) -> Shape:
        """What the paper leaves open, as chosen here."""
        return Shape(self.width, self.norm, self.merge)


def build(design: Design) -> nn.Module:
    """The network, without trained weights; it is a `Network` too."""
    if design.generator == "residual_unet":
        return ResidualUNet(design.planes, design.width)
    if design.context:
        raise ValueError(f"A {design.generator} generator sees one slice, got {design.context}.")
    if design.generator == "single":
        return SingleGenerator(design.shape)
    return MultiGenerator(len(design.inputs), design.shape)
