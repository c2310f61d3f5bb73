"""How far tissue may reach beyond the body that the MR shows.

MR and CT are seldom taken in one posture. A network trained on such pairs puts flesh where skin may
lie, and draws the body too large: a voxel of air in its place costs it a thousand HU.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import (
    binary_fill_holes,
    distance_transform_edt,
    maximum_filter,
    minimum_filter,
    uniform_filter,
)

BODY_ABOVE = 0.06
"""Of the bright end, in means of 3 x 3 pixels: signal of a body."""

PADDING_SIDE = 5
"""Squares of zeros of so many pixels are padding, under which a body may go on."""

SPECK_SIDE = 5
"""What holds no square of so many pixels is noise."""


def outside(
    images: npt.NDArray[np.float32],
    pixel_mm: tuple[float, float],
    reach_mm: float,
    blank_is_air: bool = False,
) -> npt.NDArray[np.bool_]:
    """Where a slice lies further than `reach_mm` from everything that may be body.

    Lungs and bowel gas are dark, but surrounded: they are inside.

    Args:
        images: (modalities, rows, columns), bright end 1, padding 0.
        pixel_mm: distance of rows, of columns.
        reach_mm: 0 for the outline of the MR itself.
        blank_is_air: zeros around the body are air that the scanner has blanked out, not padding.

    Returns:
        (rows, columns); nothing is outside where the slice shows no body at all.
    """
    brightest = images.max(axis=0)
    bright = uniform_filter(brightest, 3) > BODY_ABOVE
    # an opening by a square, row by row and column by column: a third of the time
    kept = minimum_filter(bright, SPECK_SIDE, mode="constant")
    body = maximum_filter(kept, SPECK_SIDE, mode="constant")
    if not body.any():
        return np.zeros_like(body)
    if not blank_is_air:
        body |= uniform_filter(brightest, PADDING_SIDE) <= 0.0
    inside = binary_fill_holes(body)
    far = distance_transform_edt(~inside, sampling=pixel_mm) > reach_mm
    if blank_is_air:
        far |= ~inside & (brightest <= 0.0)
    return np.asarray(far, np.bool_)
