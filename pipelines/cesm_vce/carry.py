"""Carry an image made at the network's size to the size of the mammogram, without losing detail.

A guided filter (He, Sun, Tang, IEEE TPAMI 35 (2013) 1397), in its fast form: around every pixel of
the small image the output is written as `a * low_energy + b`, by least squares. The maps a and b
are smooth, so they are enlarged instead of the image, and the full-size low-energy image gives the
detail: edges lie where the mammogram has them. Where the output does not follow the low-energy
image, a is 0 and nothing of its anatomy shows through.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from pipelines.cesm_vce.framing import Framed, Plane

WINDOW = 9
"""Side of the window of the least squares, in pixels of the network: about 8 mm."""

SMALLEST_VARIANCE = 1e-4
"""Of the low-energy image in a window, for which a is halved: below it is noise."""


def carried(small: Plane, around: Framed, mammogram: Plane) -> Plane:
    """The network's output on the grid of the mammogram.

    Args:
        small: (SIZE, SIZE), display values 0 to 1.
        around: how the mammogram was framed for the network.
        mammogram: (rows, columns), in its own grey values.

    Returns:
        (rows, columns), display values 0 to 1; 0 outside the breast.
    """
    slope, offset = linear_maps(small, around.seen, around.breast)
    slope, offset = (_enlarged(plane, around) for plane in (slope, offset))
    image: Plane = slope * around.scale.apply(mammogram) + offset
    image[~_inside(around, mammogram)] = 0.0
    return image.clip(0.0, 1.0)


def linear_maps(output: Plane, guide: Plane, inside: npt.NDArray[np.bool_]) -> tuple[Plane, Plane]:
    """The a and b of `output = a * guide + b` around every pixel, of pixels inside only."""
    weight = inside.astype(np.float32)
    share = np.maximum(_mean(weight), 1e-6)

    def mean(values: Plane) -> Plane:
        return np.asarray(_mean(values * weight) / share, np.float32)

    middle, level = mean(guide), mean(output)
    variance = mean(guide * guide) - middle**2
    slope = (mean(guide * output) - middle * level) / (variance + SMALLEST_VARIANCE)
    offset = level - slope * middle
    return _outward(mean(slope), inside), _outward(mean(offset), inside)


def _mean(values: Plane) -> Plane:
    return np.asarray(ndimage.uniform_filter(values, WINDOW, mode="constant"), np.float32)


def _outward(values: Plane, inside: npt.NDArray[np.bool_]) -> Plane:
    """Values outside the breast become those of the nearest pixel inside: edges do not fade."""
    nearest = ndimage.distance_transform_edt(~inside, return_distances=False, return_indices=True)
    return np.asarray(values[tuple(nearest)], np.float32)


def _enlarged(values: Plane, around: Framed) -> Plane:
    """A map of the square at the size of the mammogram, linear between its pixels."""
    side = around.frame.side
    picture = Image.fromarray(values).resize((side, side), Image.Resampling.BILINEAR)
    return np.array(around.frame.cut(np.asarray(picture, np.float32)))


def _inside(around: Framed, mammogram: Plane) -> npt.NDArray[np.bool_]:
    """The breast at full size: the small one, its border drawn by the mammogram's own air."""
    border = ndimage.binary_dilation(around.breast, iterations=1)
    sure = ndimage.binary_erosion(around.breast, iterations=2, border_value=1)
    large = [_enlarged(part.astype(np.float32), around) > 0.5 for part in (border, sure)]
    inside: npt.NDArray[np.bool_] = (large[0] & (mammogram > around.air)) | large[1]
    return inside
