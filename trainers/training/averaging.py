"""Weights averaged over the steps (EMA): quieter than the last ones, and the ones to ship."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)


def averaged_copy(network: Network) -> Network:
    """A copy that follows a network without gradients, in evaluation mode."""
    return copy.deepcopy(network).requires_grad_(False).eval()


@torch.no_grad()
def follow(averaged: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    """Move the averaged parameters towards the network's; buffers are taken over.

    Args:
        averaged: made by `averaged_copy`.
        network: as it is after the step.
        decay: share of the old average; smaller in the first steps, which are far from any good.
        step: how many steps were done before this one.
    """
    decay = min(decay, (1 + step) / (10 + step))
    for mean, new in zip(averaged.parameters(), network.parameters(), strict=True):
        mean.lerp_(new, 1 - decay)
    for kept, now in zip(averaged.buffers(), network.buffers(), strict=True):
        kept.copy_(now)
