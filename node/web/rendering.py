"""Pictures of a slice: Hounsfield units to PNG.

Arrays are (rows, columns) in HU; windows are PS3.3 C.11.2.1.2 centre and width in HU.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

RENDERING_VERSION = 1
"""Part of every ETag: raise it when a picture of the same slice would look different."""

SMALLEST_SIDE = 512
"""A smaller matrix is enlarged by whole pixels, so that the words on it stay small."""

DIFFERENCE_SPAN_HU = 60.0
"""The difference is shown from minus this to plus this."""

# Blue where the result is lower than the source, black where equal, orange where it is higher:
# told apart by people who do not see red and green apart, and calm on a dark viewer.
LOWER, HIGHER = (86, 160, 255), (255, 166, 64)


@dataclass(frozen=True)
class Window:
    """A display window: centre and width in HU."""

    name: str
    label: str
    centre: float
    width: float


WINDOWS = {
    window.name: window
    for window in (
        Window("soft", "Soft tissue", 50.0, 400.0),
        Window("lung", "Lung", -600.0, 1500.0),
        Window("bone", "Bone", 400.0, 1800.0),
    )
}


def window_for(body_part: str, description: str) -> Window:
    """The window that a reader of this body part would open first."""
    words = f"{body_part} {description}".upper()
    if any(word in words for word in ("CHEST", "LUNG", "THORA")):
        return WINDOWS["lung"]
    if any(word in words for word in ("SPINE", "BONE", "EXTREMITY", "PELVIS BONE")):
        return WINDOWS["bone"]
    return WINDOWS["soft"]


def grey(hu: npt.NDArray[np.float32], window: Window) -> npt.NDArray[np.uint8]:
    """A slice in a window: (rows, columns) grey values."""
    low = window.centre - window.width / 2
    scaled = (hu - low) * (255.0 / window.width)
    shades: npt.NDArray[np.uint8] = np.clip(scaled, 0, 255).astype(np.uint8)
    return shades


def difference(
    before: npt.NDArray[np.float32], after: npt.NDArray[np.float32]
) -> npt.NDArray[np.uint8]:
    """After minus before in false colours: (rows, columns, 3)."""
    return false_colours((after - before) / DIFFERENCE_SPAN_HU)


def false_colours(share: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """-1 to 1 in colours from blue over black to orange: (..., 3)."""
    strength = np.clip(np.abs(share), 0, 1)[..., np.newaxis]
    colour = np.where(share[..., np.newaxis] < 0, np.array(LOWER), np.array(HIGHER))
    colours: npt.NDArray[np.uint8] = (strength * colour).astype(np.uint8)
    return colours


def grey_png(pixels: npt.NDArray[np.uint8], mark: str = "") -> bytes:
    """A PNG of grey values (rows, columns), with a word in its corner where one is given."""
    image = _enlarged(pixels)
    if mark:
        _write_mark(image, mark)
    return _encode(image)


def difference_png(pixels: npt.NDArray[np.uint8], mark: str = "") -> bytes:
    """A PNG of false colours (rows, columns, 3) with the bar that explains them."""
    image = _enlarged(pixels)
    _write_bar(image)
    if mark:
        _write_mark(image, mark)
    return _encode(image)


def _enlarged(pixels: npt.NDArray[np.uint8]) -> Image.Image:
    factor = max(1, -(-SMALLEST_SIDE // max(pixels.shape[:2])))
    return Image.fromarray(pixels.repeat(factor, axis=0).repeat(factor, axis=1))


def _write_mark(image: Image.Image, mark: str) -> None:
    size = max(10, image.height // 26)
    font = ImageFont.load_default(size)
    draw = ImageDraw.Draw(image)
    place = (image.width // 2, image.height - size // 2)
    light, dark = (255, 0) if image.mode == "L" else ((255, 255, 255), (0, 0, 0))
    draw.text(place, mark, fill=light, font=font, anchor="mb", stroke_width=2, stroke_fill=dark)


def _write_bar(image: Image.Image) -> None:
    """A scale at the right edge, from +span HU (top) to -span HU (bottom)."""
    height, width = image.height // 2, max(4, image.width // 48)
    left, top = image.width - 2 * width, image.height // 4
    column = false_colours(np.linspace(1, -1, height, dtype=np.float32))  # (height, 3)
    image.paste(Image.fromarray(np.repeat(column[:, np.newaxis, :], width, axis=1)), (left, top))
    draw = ImageDraw.Draw(image)
    draw.rectangle((left - 1, top - 1, left + width, top + height), outline=(150, 150, 150))
    font = ImageFont.load_default(max(9, image.height // 36))
    span = f"{DIFFERENCE_SPAN_HU:g}"
    for y, text in ((top, f"+{span} HU"), (top + height // 2, "0"), (top + height, f"-{span} HU")):
        place = (left - width // 2, y)
        draw.text(place, text, (230, 230, 230), font, anchor="rm", stroke_width=2, stroke_fill=0)


def _encode(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=1)
    return stream.getvalue()
