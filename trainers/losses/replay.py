"""Earlier images, kept so that a discriminator or a denoiser does not see only the latest ones."""

from __future__ import annotations

import random

import torch
from torch import Tensor

Sample = tuple[Tensor, ...]
"""What is kept together, each (channels, rows, columns): one image, or an image and its label."""


class ReplayBuffer:
    """A pool of samples: half of what is asked for comes from earlier steps (Shrivastava 2017).

    Args:
        capacity: samples kept; 0 keeps none and hands back what came.
        seed: of the buffer's own random numbers.
    """

    def __init__(self, capacity: int = 50, seed: int = 0) -> None:
        if capacity < 0:
            raise ValueError(f"A replay buffer's capacity is 0 or more, got {capacity}.")
        self.capacity = capacity
        self._random = random.Random(seed)
        self._samples: list[Sample] = []

    def __len__(self) -> int:
        return len(self._samples)

    def exchange(self, *batch: Tensor) -> Sample:
        """Put tensors (batch, ...) in, without their graphs; get as many back, partners kept."""
        rows = zip(*(tensor.detach() for tensor in batch), strict=True)
        chosen = [self._exchange(tuple(row)) for row in rows]
        return tuple(torch.stack(column) for column in zip(*chosen, strict=True))

    def _exchange(self, sample: Sample) -> Sample:
        """Keep one sample; give it back, or an earlier one in its place."""
        if len(self._samples) < self.capacity:
            self._samples.append(tuple(tensor.clone() for tensor in sample))
            return sample
        if self.capacity == 0 or self._random.random() < 0.5:
            return sample
        place = self._random.randrange(self.capacity)
        earlier = self._samples[place]
        self._samples[place] = tuple(tensor.clone() for tensor in sample)
        return earlier
