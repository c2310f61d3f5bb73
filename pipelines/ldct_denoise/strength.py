"""How much of the network's correction is added, and what the protocol's dose says about it.

An image at full dose has noise too. Of the noise in an image at a share d of that dose, the part d
belongs to what a full-dose image would show: taking it away as well makes the image smoother than
that. A network sees how strong noise is, but not what a site calls full dose, so it has to be told.
"""

from __future__ import annotations

import numpy as np

from pipelines.contract import Slice

REMOVED = 1.4
"""Correction that is wanted for each unit of (1 - share of the dose): it removes 1 / 1.4 of the
noise at full strength. The value with the best mean PSNR on the five validation patients, at 10,
25, 50 and 75 % dose, both scanners alike; up to 29 % dose the strength is full."""


def effective_strength(strength: float, dose_share: float) -> float:
    """Share of the correction that is added.

    Args:
        strength: as asked for, 0 to 1.
        dose_share: dose of the acquisition as a share of the usual one; 0 when it is not known.
    """
    return strength * min(1.0, REMOVED * (1.0 - dose_share))


def blend(before: Slice, after: Slice, strength: float) -> Slice:
    """`before + strength * (after - before)`; exact at 0 and 1."""
    if strength == 1.0:
        return after
    return before if strength == 0.0 else before + np.float32(strength) * (after - before)
