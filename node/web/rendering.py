"""Pictures of a slice: values to PNG.

Arrays are (rows, columns) in the unit of the modality (HU, SUV, or none); windows are centre and
width in the same unit (PS3.3 C.11.2.1.2).
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
Ink = tuple[Colour, Colour]

RENDERING_VERSION = 4
"""Part of every ETag: raise it when a picture of the same slice would look different."""

SMALLEST_SIDE = 512
"""A smaller matrix is enlarged by whole pixels, so that the words on it stay small."""

LARGEST_SIDE = 1400
"""A larger matrix (a mammogram) is reduced by whole pixels: it is a picture, not the image."""

DIFFERENCE_SPAN_HU = 60.0
"""The difference is shown from minus this to plus this."""

BAR_STEPS = 256
"""Colours of a scale."""

FUSION_COVER = 0.85
"""So much of the grey is covered where the values above are highest."""

DARK_ON_LIGHT, LIGHT_ON_DARK = ((20, 20, 20), (255, 255, 255)), ((240, 240, 240), (0, 0, 0))
"""Colour of words on a picture, and of their outline."""

# Blue where the result is lower than the source, black where equal, orange where it is higher:
# told apart by people who do not see red and green apart, and calm on a dark viewer.
LOWER, HIGHER = (86, 160, 255), (255, 166, 64)


@dataclass(frozen=True)
class Window:
    """A display window: centre and width in the unit of the values."""

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


def grey(
    values: npt.NDArray[np.float32], window: Window, *, inverted: bool = False
) -> npt.NDArray[np.uint8]:
    """A slice in a window: (rows, columns) grey values; inverted, low values are white."""
    low = window.centre - window.width / 2
    scaled = (values - low) * (255.0 / window.width)
    shades: npt.NDArray[np.uint8] = np.clip(scaled, 0, 255).astype(np.uint8)
    return 255 - shades if inverted else shades


def hot(share: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """0 to 1 in colours from black over red and yellow to white: (..., 3)."""
    steps = np.clip(share, 0, 1)[..., np.newaxis] * 3.0 - np.array([0.0, 1.0, 2.0])
    colours: npt.NDArray[np.uint8] = (np.clip(steps, 0, 1) * 255).astype(np.uint8)
    return colours


def fused(
    below: npt.NDArray[np.uint8], above: npt.NDArray[np.float32], window: Window
) -> npt.NDArray[np.uint8]:
    """Values in hot colours over a grey picture: (rows, columns, 3).

    Args:
        below: (rows, columns) grey values.
        above: (rows, columns) values; the higher, the less of the grey shows through.
        window: of `above`.
    """
    share = np.clip((above - (window.centre - window.width / 2)) / window.width, 0, 1)
    cover = (FUSION_COVER * np.sqrt(share))[..., np.newaxis]
    mixed = (1 - cover) * below[..., np.newaxis] + cover * hot(share)
    colours: npt.NDArray[np.uint8] = mixed.astype(np.uint8)
    return colours


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
        _write_mark(image, mark, LIGHT_ON_DARK)
    return _encode(image)


def difference_png(pixels: npt.NDArray[np.uint8], mark: str = "") -> bytes:
    """A PNG of false colours (rows, columns, 3) with the bar that explains them."""
    span = f"{DIFFERENCE_SPAN_HU:g}"
    ticks = (f"+{span} HU", "0", f"-{span} HU")
    return scaled_png(pixels, false_colours(_column(-1.0)), ticks, mark)


def inverted_png(pixels: npt.NDArray[np.uint8], window: Window, mark: str = "") -> bytes:
    """A PNG of inverted SUV (rows, columns) with its scale."""
    column = 255 - (_column(0.0)[:, np.newaxis] * np.full(3, 255.0)).astype(np.uint8)
    colours = np.repeat(pixels[..., np.newaxis], 3, axis=2)
    return scaled_png(colours, column, _ticks(window), mark, DARK_ON_LIGHT)


def fusion_png(pixels: npt.NDArray[np.uint8], window: Window, mark: str = "") -> bytes:
    """A PNG of a fusion (rows, columns, 3) with the scale of what lies above."""
    return scaled_png(pixels, hot(_column(0.0)), _ticks(window), mark)


def scaled_png(
    pixels: npt.NDArray[np.uint8],
    column: npt.NDArray[np.uint8],
    ticks: tuple[str, str, str],
    mark: str = "",
    ink: Ink = LIGHT_ON_DARK,
) -> bytes:
    """A PNG of colours (rows, columns, 3) with a scale.

    Args:
        pixels: of the picture.
        column: (n, 3) colours of the scale from its top.
        ticks: its top, middle and bottom.
        mark: a word at the bottom.
        ink: of the words.
    """
    image = _enlarged(pixels)
    _write_bar(image, column, ticks, ink)
    if mark:
        _write_mark(image, mark, ink)
    return _encode(image)


def _column(lowest: float) -> npt.NDArray[np.float32]:
    """(n,) from 1 at the top of a scale to its lowest value."""
    return np.linspace(1, lowest, BAR_STEPS, dtype=np.float32)


def _ticks(window: Window) -> tuple[str, str, str]:
    low, high = window.centre - window.width / 2, window.centre + window.width / 2
    return f"SUV {high:g}", f"{window.centre:g}", f"{low:g}"


def _enlarged(pixels: npt.NDArray[np.uint8]) -> Image.Image:
    largest = max(pixels.shape[:2])
    if largest > LARGEST_SIDE:
        return Image.fromarray(pixels).reduce(-(-largest // LARGEST_SIDE))
    factor = max(1, -(-SMALLEST_SIDE // largest))
    return Image.fromarray(pixels.repeat(factor, axis=0).repeat(factor, axis=1))


def _write_mark(image: Image.Image, mark: str, ink: Ink) -> None:
    size = max(10, max(image.size) // 26)
    font = ImageFont.load_default(size)
    fill, outline = ink if image.mode == "RGB" else (ink[0][0], ink[1][0])
    place = (image.width // 2, image.height - size // 2)
    ImageDraw.Draw(image).text(
        place, mark, fill, font=font, anchor="mb", stroke_width=2, stroke_fill=outline
    )


def _write_bar(
    image: Image.Image, column: npt.NDArray[np.uint8], ticks: tuple[str, str, str], ink: Ink
) -> None:
    """A scale at the right edge: colours (n, 3) from its top, three words."""
    height, width = image.height // 2, max(4, image.width // 48)
    left, top = image.width - 2 * width, image.height // 4
    bar = Image.fromarray(column[:, np.newaxis, :]).resize(
        (width, height), Image.Resampling.NEAREST
    )
    image.paste(bar, (left, top))
    draw = ImageDraw.Draw(image)
    draw.rectangle((left - 1, top - 1, left + width, top + height), outline=(150, 150, 150))
    font = ImageFont.load_default(max(9, max(image.size) // 36))
    fill, outline = ink
    for y, text in zip((top, top + height // 2, top + height), ticks, strict=True):
        place = (left - width // 2, y)
        draw.text(place, text, fill, font, anchor="rm", stroke_width=2, stroke_fill=outline)


def _encode(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=1)
    return stream.getvalue()
