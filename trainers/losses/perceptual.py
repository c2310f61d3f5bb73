"""Perceptual loss: distance in the features of any network."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from trainers.losses.filter_bank import FilterBank


class LayerOutputs(nn.Module):
    """Outputs of named layers of a network, as an extractor for `PerceptualLoss`.

    Args:
        network: any module that takes one tensor.
        layers: names as in `network.named_modules()`, in the order wanted.
    """

    def __init__(self, network: nn.Module, layers: Sequence[str]) -> None:
        super().__init__()
        known = dict(network.named_modules())
        unknown = [name for name in layers if name not in known]
        if unknown or not layers:
            raise ValueError(
                f"Layer names of the network are wanted, got {unknown or 'none'}; "
                f"it has {', '.join(name for name in known if name)}."
            )
        self.network = network
        self.layers = tuple(layers)
        self._outputs: dict[str, Tensor] = {}
        for name in layers:
            known[name].register_forward_hook(self._keep(name))

    def _keep(self, name: str) -> Callable[[nn.Module, object, Tensor], None]:
        """A forward hook that keeps the output of the layer `name`."""

        def hook(module: nn.Module, inputs: object, output: Tensor) -> None:
            self._outputs[name] = output

        return hook

    def forward(self, image: Tensor) -> list[Tensor]:
        """The layers' outputs for `image`."""
        self._outputs.clear()
        self.network(image)
        return [self._outputs[name] for name in self.layers]


class PerceptualLoss(nn.Module):
    """Weighted sum of mean absolute feature differences; 0 when equal.

    Args:
        extractor: maps images to a list of feature tensors; it is frozen. By default a
            `FilterBank`, which needs no weights but is no network that was trained on anything:
            good for tests and as a multi-scale edge loss, not a stand-in for VGG16 in a study.
        weights: one a feature tensor; by default all equal, summing to one.
    """

    def __init__(
        self, extractor: nn.Module | None = None, weights: Sequence[float] | None = None
    ) -> None:
        super().__init__()
        self.extractor = (extractor or FilterBank()).eval().requires_grad_(False)
        self.weights = None if weights is None else tuple(weights)

    def train(self, mode: bool = True) -> PerceptualLoss:
        """Set training mode; the extractor stays in evaluation mode."""
        super().train(mode)
        self.extractor.eval()
        return self

    def forward(self, fake: Tensor, real: Tensor) -> Tensor:
        """One number for `fake` against `real`, both (batch, channels, rows, columns)."""
        with torch.no_grad():
            wanted = self.extractor(real)
        found = self.extractor(fake)
        weights = self.weights or (1 / len(found),) * len(found)
        if len(weights) != len(found):
            raise ValueError(
                f"One weight a feature tensor is wanted, got {len(weights)} for {len(found)}."
            )
        parts = [
            weight * (a - b).abs().mean()
            for weight, a, b in zip(weights, found, wanted, strict=True)
        ]
        return torch.stack(parts).sum()
