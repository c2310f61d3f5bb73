"""The generators of the multimodal CycleGAN (Crespi et al., arXiv 2407.10888).

`SingleGenerator` is Johnson's: a stem, two downsamplings, nine residual blocks, two upsamplings.
`MultiGenerator` has a branch for each MR modality (one convolution block, two downsamplings, four
residual blocks), merges them in latent space, and goes on with five residual blocks and two
upsamplings: 4 + 5 = 9. `BackwardGenerator` mirrors it, from one CT to every modality.
The paper leaves open how branches merge, the normalisation and the padding; see `Shape`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipelines.mr_to_ct.scaling import to_hu

BRANCH_BLOCKS, TRUNK_BLOCKS = 4, 5
"""Residual blocks before and after the merge."""

RESIDUAL_START = 0.5
"""Loudness of residual branches before training, where nothing normalises them."""

MULTIPLE = 4
"""Two downsamplings: sides are continued to a multiple of this."""


@dataclass(frozen=True)
class Shape:
    """What the paper leaves open, chosen here.

    Attributes:
        width: features of the stem; four times as many in latent space. 64 in Johnson's network.
        norm: `instance` as in CycleGAN. `none` for a model that has to give HU: instance
            normalisation makes the value of a voxel depend on how much air the slice shows.
        merge: `concat` and a 1 x 1 convolution, or `sum`.
    """

    width: int = 64
    norm: Literal["instance", "none"] = "instance"
    merge: Literal["concat", "sum"] = "concat"


def initialise(network: nn.Module, shape: Shape) -> None:
    """As CycleGAN where features are normalised; else so that their variance is kept."""
    for module in network.modules():
        if not isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            continue
        if shape.norm == "instance":
            nn.init.normal_(module.weight, 0.0, 0.02)
        else:
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        nn.init.zeros_(module.bias)  # type: ignore[arg-type]
    if shape.norm == "none":
        with torch.no_grad():
            for module in network.modules():
                if isinstance(module, Block):
                    last = module.layers[-1]
                    assert isinstance(last, nn.Conv2d)
                    last.weight.mul_(RESIDUAL_START)


class Block(nn.Module):
    """A residual block: two 3 x 3 convolutions, reflected at the border, added to the input."""

    def __init__(self, channels: int, shape: Shape) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect"),
            *_norm(channels, shape),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect"),
            *_norm(channels, shape),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same shape."""
        change: Tensor = self.layers(features)
        return features + change


def _norm(channels: int, shape: Shape) -> list[nn.Module]:
    return [nn.InstanceNorm2d(channels)] if shape.norm == "instance" else []


def encoder(shape: Shape, blocks: int) -> nn.Sequential:
    """(B, 1, H, W) to (B, 4 width, H/4, W/4): convolution block, two downsamplings, blocks."""
    width = shape.width
    layers: list[nn.Module] = [
        nn.Conv2d(1, width, 7, padding=3, padding_mode="reflect"),
        *_norm(width, shape),
        nn.ReLU(),
    ]
    for channels in (width, 2 * width):
        layers.append(nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1))
        layers += [*_norm(2 * channels, shape), nn.ReLU()]
    return nn.Sequential(*layers, *(Block(4 * width, shape) for _ in range(blocks)))


def decoder(shape: Shape, blocks: int) -> nn.Sequential:
    """(B, 4 width, H/4, W/4) to (B, 1, H, W): blocks, two upsamplings, convolution."""
    width = shape.width
    layers: list[nn.Module] = [Block(4 * width, shape) for _ in range(blocks)]
    for channels in (4 * width, 2 * width):
        layers.append(
            nn.ConvTranspose2d(channels, channels // 2, 3, stride=2, padding=1, output_padding=1)
        )
        layers += [*_norm(channels // 2, shape), nn.ReLU()]
    return nn.Sequential(*layers, nn.Conv2d(width, 1, 7, padding=3, padding_mode="reflect"))


class Generator(nn.Module):
    """What forward generators share: from scaled MR to HU, sides continued to whole multiples."""

    multiple = MULTIPLE

    def forward(self, planes: Tensor) -> Tensor:
        """Map (B, modalities, H, W), bright end 1, to (B, 1, H, W), HU."""
        return self.finish(planes, self.correction(self.prepare(planes)))

    def prepare(self, planes: Tensor) -> Tensor:
        """Continue (B, modalities, H, W) right and below to whole multiples."""
        height, width = planes.shape[-2], planes.shape[-1]
        padding = (0, -width % MULTIPLE, 0, -height % MULTIPLE)
        return functional.pad(planes, padding, mode="replicate")

    def finish(self, planes: Tensor, output: Tensor) -> Tensor:
        """Cut the padding off and give (B, 1, H, W) in HU."""
        height, width = planes.shape[-2], planes.shape[-1]
        return to_hu(output[..., :height, :width].to(planes.dtype))

    def correction(self, seen: Tensor) -> Tensor:
        """The network itself: (B, modalities, H, W) to (B, 1, H, W), in units of `to_hu`."""
        raise NotImplementedError


class SingleGenerator(Generator):
    """One MR modality to CT, or CT to one MR modality."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.encoder = encoder(shape, BRANCH_BLOCKS)
        self.decoder = decoder(shape, TRUNK_BLOCKS)
        initialise(self, shape)

    def correction(self, seen: Tensor) -> Tensor:
        """(B, 1, H, W) to (B, 1, H, W)."""
        output: Tensor = self.decoder(self.encoder(seen))
        return output


class MultiGenerator(Generator):
    """Several MR modalities to CT.

    Args:
        modalities: how many.
        shape: what the paper leaves open.
    """

    def __init__(self, modalities: int, shape: Shape) -> None:
        super().__init__()
        latent = 4 * shape.width
        self.branches = nn.ModuleList(encoder(shape, BRANCH_BLOCKS) for _ in range(modalities))
        self.merge = nn.Conv2d(modalities * latent, latent, 1) if shape.merge == "concat" else None
        self.decoder = decoder(shape, TRUNK_BLOCKS)
        initialise(self, shape)

    def correction(self, seen: Tensor) -> Tensor:
        """(B, modalities, H, W) to (B, 1, H, W)."""
        features = [
            branch(seen[:, index : index + 1]) for index, branch in enumerate(self.branches)
        ]
        if self.merge is None:
            latent = torch.stack(features).sum(dim=0)
        else:
            latent = self.merge(torch.cat(features, dim=1))  # (B, 4 width, H/4, W/4)
        output: Tensor = self.decoder(latent)
        return output


class BackwardGenerator(nn.Module):
    """CT to every MR modality, in units of the networks on both sides; for training only.

    Args:
        modalities: how many.
        shape: what the paper leaves open.
    """

    def __init__(self, modalities: int, shape: Shape) -> None:
        super().__init__()
        self.encoder = encoder(shape, TRUNK_BLOCKS)
        self.branches = nn.ModuleList(decoder(shape, BRANCH_BLOCKS) for _ in range(modalities))
        initialise(self, shape)

    def forward(self, ct: Tensor) -> Tensor:
        """Map (B, 1, H, W) to (B, modalities, H, W); sides are multiples of 4."""
        latent = self.encoder(ct)
        return torch.cat([branch(latent) for branch in self.branches], dim=1)
