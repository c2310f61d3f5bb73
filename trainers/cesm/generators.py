"""The papers' generators of virtual contrast at any width and for any square, by the run's file.

A comparison on a small machine needs them narrower, and for a smaller square, than they are
published and served (`pipelines.cesm_vce.network`); both stand in the header of the weights, so
that `read_generator` builds the network again. What is not of the published size is named so that
serving refuses it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from safetensors import safe_open

from pipelines.cesm_vce.framing import SIZE
from pipelines.cesm_vce.generators import Autoencoder, Generator, ResidualGenerator, UNetGenerator
from pipelines.cesm_vce.network import build
from pipelines.cesm_vce.pipeline import GENERATOR
from trainers.training.errors import SettingsError

PUBLISHED_BLOCKS, FEWER_BLOCKS = 9, 6
"""Residual blocks of CycleGAN's generator for squares of 256 pixels, and for smaller ones."""

KIND, WIDTH, SQUARE = "kind", "width", "square"
"""Keys in the header of the weights, beside `GENERATOR`."""


@dataclass(frozen=True)
class Size:
    """How large a generator is.

    Attributes:
        width: features of its first level; 0 takes the published ones.
        square: pixels along a side of what it sees.
    """

    width: int = 0
    square: int = SIZE

    @property
    def published(self) -> bool:
        """Whether serving takes such a network."""
        return not self.width and self.square == SIZE


def kind_of(method: str) -> str:
    """Which generator a method trains."""
    return method.removeprefix("lesion_")


def generator_of(kind: str, size: Size) -> Generator:
    """A generator without trained weights.

    Args:
        kind: `folded_unet`, `autoencoder`, `pix2pix` or `cyclegan`.
        size: of it.

    Raises:
        SettingsError: there is no such generator, or it has one size only.
    """
    if size.published or (kind == "folded_unet" and not size.width):
        return build(kind)
    blocks = PUBLISHED_BLOCKS if size.square >= SIZE else FEWER_BLOCKS
    if kind == "autoencoder":
        first = size.width or 24
        return Autoencoder((first, 2 * first, 4 * first, 8 * first))
    if kind == "pix2pix":
        return UNetGenerator(size.width or 64, levels_of(size.square))
    if kind == "cyclegan":
        return ResidualGenerator(size.width or 64, blocks)
    raise SettingsError(f"autoencoder, pix2pix and cyclegan have a width, got {kind!r}.")


def way_back(size: Size) -> Generator:
    """CycleGAN's second generator, from recombined to low energy."""
    return generator_of("cyclegan", size)


def levels_of(square: int) -> int:
    """Downsamplings of Pix2Pix's U-Net: until a single pixel is left of a square.

    Raises:
        SettingsError: the side of the square is no power of 2.
    """
    levels = square.bit_length() - 1
    if square != 1 << levels or levels < 2:
        raise SettingsError(f"Pix2Pix's U-Net takes squares of 4, 8, ... 256 pixels, got {square}.")
    return levels


def facts_of(kind: str, size: Size) -> dict[str, str]:
    """What the header of the weights says."""
    name = kind
    if not size.published:
        name = f"{kind} of width {size.width} for {size.square} pixels: for comparison, not served"
    return {GENERATOR: name, KIND: kind, WIDTH: str(size.width), SQUARE: str(size.square)}


def read_generator(weights: Path) -> tuple[Generator, Size]:
    """The trained generator of a run, for evaluation.

    Args:
        weights: written by `trainers.cesm_vce`.
    """
    with safe_open(weights, "pt") as file:
        facts = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no dict
    size = Size(int(facts[WIDTH]), int(facts[SQUARE]))
    network = generator_of(facts[KIND], size)
    network.load_state_dict(tensors)
    network.eval()
    return network, size
