"""A CT without its couch: no MR shows it, and it is no part of the body.

Counted as body, it teaches a network to draw flesh where the couch of another machine lay, and it
counts as the network's error where there is none.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_fill_holes, binary_opening, gaussian_filter, label

SOLID_ABOVE_HU = -350.0
AIR_HU = -1000.0

THICK = 5
"""A top of a couch, a blanket, a tube holds no square of so many pixels in a slice."""

SMALLEST_PART = 0.01
"""What is thick, but smaller than this share of the largest part, is no limb."""

SKIN_PIXELS, SKIN_SHARE = 1.5, 0.1
"""The body is blurred so far, and what is above this share of it belongs to it: its skin."""


def without_couch(ct: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The CT with air where couch, blankets and clothes were.

    Args:
        ct: (slices, rows, columns), HU; it may be cut out of a larger one, through limbs.
    """
    parts, count = label(_thick(ct > SOLID_ABOVE_HU))
    if count == 0:
        return ct
    sizes = np.bincount(parts.ravel())[1:]
    kept = 1 + np.flatnonzero(sizes >= SMALLEST_PART * sizes.max())
    body = np.stack([binary_fill_holes(image) for image in np.isin(parts, kept)])
    with_skin = gaussian_filter(body.astype(np.float32), (0, SKIN_PIXELS, SKIN_PIXELS)) > SKIN_SHARE
    return np.where(with_skin, ct, AIR_HU).astype(np.float32)


def _thick(solid: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """What is left of it in squares of `THICK` pixels; a limb goes on where the image ends."""
    margin = ((0, 0), (THICK, THICK), (THICK, THICK))
    opened = binary_opening(np.pad(solid, margin, mode="edge"), np.ones((1, THICK, THICK)))
    return np.asarray(opened[:, THICK:-THICK, THICK:-THICK], np.bool_)
