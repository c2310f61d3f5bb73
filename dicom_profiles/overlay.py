"""Overlay plane 6000 with the word SYNTHETIC (PS3.3 C.9.2).

One bit a pixel, drawn over the image by the viewer; the pixels stay untouched.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from pydicom.dataset import Dataset

LABEL = "SYNTHETIC"
GROUP = 0x6000
HEIGHT_SHARE = 0.045
"""Letter height as a share of the image height: readable, out of the anatomy's way."""
SMALLEST_HEIGHT = 8
MARGIN_SHARE = 0.02


@lru_cache(maxsize=16)
def label_bitmap(rows: int, columns: int) -> npt.NDArray[np.bool_]:
    """The label at the lower edge of an image, (rows, columns), True where it is drawn.

    The lower edge is behind the patient's back in an axial slice.
    """
    image = Image.new("1", (columns, rows))  # no grey edges: the plane has one bit a pixel
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=max(SMALLEST_HEIGHT, round(rows * HEIGHT_SHARE)))
    margin = round(rows * MARGIN_SHARE)
    draw.text((columns / 2, rows - margin), LABEL, fill=1, font=font, anchor="md")
    bitmap = np.array(image, dtype=np.bool_)
    bitmap.setflags(write=False)
    return bitmap


def overlay_plane(rows: int, columns: int) -> Dataset:
    """Elements of the overlay plane for an image of this size."""
    ds = Dataset()
    ds.add_new((GROUP, 0x0010), "US", rows)
    ds.add_new((GROUP, 0x0011), "US", columns)
    ds.add_new((GROUP, 0x0022), "LO", f"{LABEL} label")
    ds.add_new((GROUP, 0x0040), "CS", "G")
    ds.add_new((GROUP, 0x0050), "SS", [1, 1])
    ds.add_new((GROUP, 0x0100), "US", 1)
    ds.add_new((GROUP, 0x0102), "US", 0)
    ds.add_new((GROUP, 0x1500), "LO", LABEL)
    # PS3.5 8.1.2: first pixel in the lowest bit, padded to whole 16-bit words.
    packed = np.packbits(label_bitmap(rows, columns), bitorder="little").tobytes()
    ds.add_new((GROUP, 0x3000), "OW", packed + b"\0" * (len(packed) % 2))
    return ds
