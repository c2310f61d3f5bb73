"""What the networks see and say: MR by its own bright end, CT in units around soft tissue.

The intensity of an MR has no unit. A series is divided by the 99th percentile of what is not
background, which in T1-weighted images of a body is its fat (or, without fat suppression's
help, the brightest tissue there is): the same tissue then has about the same value everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from torch import Tensor

CENTRE_HU, SCALE_HU = 0.0, 500.0
"""HU = CENTRE_HU + SCALE_HU x the network's output."""

LOWEST_HU, HIGHEST_HU = -1024.0, 3071.0
"""What a 12-bit CT can hold; the output stays inside."""

BRIGHTEST = 2.5
"""Intensities above this multiple of the bright end are taken as this."""

BRIGHT_PERCENTILE = 99.0
BACKGROUND_SHARE = 0.08
"""Below this share of the bright end is background."""

SAMPLE_STEP = 3
"""Every third row and column tells enough about a series' intensities."""


def to_hu(output: Tensor) -> Tensor:
    """The network's output in HU, any shape."""
    return (CENTRE_HU + SCALE_HU * output).clamp(LOWEST_HU, HIGHEST_HU)


def bright_end(slices: Iterable[npt.NDArray[np.float32]]) -> float:
    """The intensity that stands for 1, from all slices of a series; 0 when it is empty.

    Args:
        slices: (rows, columns) each, in any unit, background near 0.
    """
    samples = [image[::SAMPLE_STEP, ::SAMPLE_STEP].ravel() for image in slices]
    if not samples:
        return 0.0
    values = np.concatenate(samples)
    values = values[values > 0]
    for _ in range(2):  # the first guess finds the background, the second leaves it out
        if values.size == 0:
            return 0.0
        end = float(np.percentile(values, BRIGHT_PERCENTILE))
        values = values[values > BACKGROUND_SHARE * end]
    return float(np.percentile(values, BRIGHT_PERCENTILE)) if values.size else 0.0


def scaled(image: npt.NDArray[np.float32], end: float) -> npt.NDArray[np.float32]:
    """The image with its bright end at 1, bounded to [0, BRIGHTEST]."""
    bounded = np.clip(image * np.float32(1.0 / end), 0.0, BRIGHTEST)
    return np.asarray(bounded, np.float32)
