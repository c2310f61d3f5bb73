"""Cycle consistency and identity (Zhu et al. 2017), for one or several modalities."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def _mean_absolute(first: Tensor, second: Tensor) -> Tensor:
    """Mean absolute difference of two tensors that must agree in shape."""
    if first.shape != second.shape:
        raise ValueError(
            f"Images of one shape are wanted, got {tuple(first.shape)} and {tuple(second.shape)}."
        )
    return (first - second).abs().mean()


def cycle_loss(reconstructed: Sequence[Tensor], original: Sequence[Tensor]) -> Tensor:
    """Mean over the modalities of the mean absolute difference; 0 for a perfect round trip.

    Args:
        reconstructed: one tensor a modality, there and back again.
        original: the tensors that went in, in the same order.
    """
    if not original or len(reconstructed) != len(original):
        raise ValueError(
            f"As many reconstructions as originals are wanted, at least one, "
            f"got {len(reconstructed)} and {len(original)}."
        )
    parts = [_mean_absolute(a, b) for a, b in zip(reconstructed, original, strict=True)]
    return torch.stack(parts).mean()


def identity_loss(translated: Tensor, original: Tensor) -> Tensor:
    """How much a generator changes an image that already is in its output domain.

    Leave it out where a generator's inputs and outputs differ in number.
    """
    return _mean_absolute(translated, original)
