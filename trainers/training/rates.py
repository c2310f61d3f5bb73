"""Learning rates as functions of the step."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

Rate: TypeAlias = Callable[[int], float]

LOWEST_SHARE = 0.01
"""A cosine falls to this share of the highest rate."""


def warm_cosine(highest: float, warmup: int, steps: int) -> Rate:
    """Linear rise over `warmup` steps, then a cosine down to a hundredth."""

    def rate(step: int) -> float:
        if step < warmup:
            return highest * (step + 1) / warmup
        done = (step - warmup) / max(1, steps - warmup)
        cosine = 0.5 * (1 + math.cos(math.pi * done))
        return highest * (LOWEST_SHARE + (1 - LOWEST_SHARE) * cosine)

    return rate


def flat_then_linear(highest: float, flat: int, steps: int) -> Rate:
    """Constant for `flat` steps, then down a line that reaches zero after the last of `steps`."""

    def rate(step: int) -> float:
        left = (steps - step) / max(1, steps - flat)
        return highest * min(1.0, max(0.0, left))

    return rate
