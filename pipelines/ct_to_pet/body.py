"""Where the patient is: the body on the working grid, without table, clothes and air."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from pipelines.ct_to_pet.grid import CUBE_MM, Cubes

Mask = npt.NDArray[np.bool_]
"""(z, y, x) on the working grid."""

SKIN_HU = -350.0
"""A cube whose mean is above this is at least half inside the skin."""

TABLE_MM = 12.0
"""Thinner than this is a table top, a blanket or a tube."""

LEAST_SHARE = 0.02
"""Parts smaller than this share of the largest one are no limbs."""


def body_mask(hu: Cubes) -> Mask:
    """The body: all that is thick enough and large enough, its lungs and gas filled in.

    Args:
        hu: (z, y, x) mean HU of each cube.
    """
    dense = hu > SKIN_HU
    radius = max(1, round(TABLE_MM / CUBE_MM / 2))
    disc = np.ones((1, 2 * radius + 1, 2 * radius + 1), np.bool_)
    core = _large_parts(ndimage.binary_opening(dense, disc))
    if not core.any():
        core = _large_parts(dense)
    grown = ndimage.binary_dilation(core, disc) & dense
    return _filled(grown)


def _large_parts(mask: Mask) -> Mask:
    labels, _ = ndimage.label(mask, np.ones((3, 3, 3)))
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray((sizes >= LEAST_SHARE * sizes.max())[labels] & mask)


def _filled(mask: Mask) -> Mask:
    """Holes of every axial slice filled: lungs and bowel gas are inside the body."""
    closing = np.ones((3, 3), np.bool_)
    filled = [
        ndimage.binary_fill_holes(ndimage.binary_closing(np.pad(image, 2), closing))[2:-2, 2:-2]
        for image in mask
    ]
    return np.asarray(filled, np.bool_)
