"""CDD-CESM (TCIA, 10.7937/29kw-ae92) in the layout in which it is published, and excerpts of it.

Below the root `Low energy images of CDD-CESM/P1_L_DM_CC.jpg` and, beside it,
`Subtracted images of CDD-CESM/P1_L_CM_CC.jpg`: patient, side, kind of image, view. Outlines of
findings, where wanted, in `Radiology_hand_drawn_segmentations_v2.csv`, as VGG Image Annotator
writes them. An excerpt is a folder of PNG `P1_L_CC.png`: the low-energy image in the left half's
red channel, the recombined one in the right half's green channel.
"""

from __future__ import annotations

import csv
import json
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from trainers.errors import TrainersError

log = logging.getLogger(__name__)

LOW_ENERGY, RECOMBINED = "Low energy images of CDD-CESM", "Subtracted images of CDD-CESM"
OUTLINES = "Radiology_hand_drawn_segmentations_v2.csv"
NAME = re.compile(r"(?P<patient>P\d+)_(?P<side>[LR])_(?P<kind>DM|CM)_(?P<view>[A-Z]+\d*)")
EXCERPT_NAME = re.compile(r"(?P<patient>P\d+)_(?P<side>[LR])_(?P<view>[A-Z]+\d*)")

LARGEST_MISFIT = 0.1
"""Both images of a pair may differ in size by this share; the recombined one is then resized."""

WHITE = 255.0


class PairError(TrainersError):
    """Two images that should be a pair are not."""


@dataclass(frozen=True, eq=False)
class MammogramPair:
    """A low-energy image and the recombined image of the same exposure.

    Attributes:
        name: for reports: patient's number in the collection, side, view.
        patient: pairs of one patient must not be on both sides of a split.
        low_energy: (rows, columns) float32, 0 to 1.
        recombined: (rows, columns) float32, 0 to 1.
        lesions: (rows, columns), true inside an outlined finding; None where nobody outlined.
    """

    name: str
    patient: str
    low_energy: npt.NDArray[np.float32]
    recombined: npt.NDArray[np.float32]
    lesions: npt.NDArray[np.bool_] | None = None


def read_cdd_cesm(root: Path) -> Iterator[MammogramPair]:
    """Every pair below the root, in the order of their names; images without partner are named."""
    outlines = read_outlines(root / OUTLINES) if (root / OUTLINES).exists() else {}
    partners = {_key(path): path for path in sorted((root / RECOMBINED).glob("*.jpg"))}
    for path in sorted((root / LOW_ENERGY).glob("*.jpg")):
        partner = partners.get(_key(path))
        if partner is None:
            log.warning("%s has no recombined image and is left out", path.name)
            continue
        low, recombined = _grey(path), _grey(partner)
        found = outlines.get(path.stem.strip(), []) + outlines.get(partner.stem.strip(), [])
        lesions = outlined(found, low.shape) if outlines else None
        patient = "_".join(_key(path)).split("_", maxsplit=1)[0]
        yield MammogramPair(
            "_".join(_key(path)), patient, low, _fitted(recombined, low.shape, path.name), lesions
        )


def read_excerpt(folder: Path) -> Iterator[MammogramPair]:
    """Every pair of an excerpt: two images in one PNG."""
    for path in sorted(folder.glob("*.png")):
        found = EXCERPT_NAME.fullmatch(path.stem)
        both = np.asarray(Image.open(path).convert("RGB"), np.float32) / WHITE
        if found is None or both.shape[1] % 2:
            raise PairError(f"A pair is named P1_L_CC.png and has an even width, got {path.name}.")
        half = both.shape[1] // 2
        yield MammogramPair(path.stem, found["patient"], both[:, :half, 0], both[:, half:, 1])


def read_outlines(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Shapes by image name without suffix; some names in the file hold a stray space."""
    shapes: dict[str, list[dict[str, Any]]] = {}
    with path.open(newline="", encoding="utf-8-sig") as file:
        for row in csv.DictReader(file):
            name = (row.get("#filename") or row.get("filename") or "").rpartition(".")[0].strip()
            shape = json.loads(row.get("region_shape_attributes") or "{}")
            if shape:
                shapes.setdefault(name, []).append(shape)
    return shapes


def outlined(shapes: list[dict[str, Any]], size: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """(rows, columns): true inside polygons, circles and ellipses; lines and points have no area.

    Args:
        shapes: as in `region_shape_attributes`.
        size: rows, columns.
    """
    canvas = Image.new("1", (size[1], size[0]))
    draw = ImageDraw.Draw(canvas)
    for shape in shapes:
        kind = shape.get("name")
        if kind == "polygon" and len(shape["all_points_x"]) > 2:
            points = list(zip(shape["all_points_x"], shape["all_points_y"], strict=True))
            draw.polygon(points, fill=1)
        elif kind in ("circle", "ellipse"):
            wide = shape.get("rx", shape.get("r", 0))
            high = shape.get("ry", shape.get("r", 0))
            x, y = shape["cx"], shape["cy"]
            draw.ellipse((x - wide, y - high, x + wide, y + high), fill=1)
    return np.array(canvas, dtype=np.bool_)


def _key(path: Path) -> tuple[str, str, str]:
    """Patient, side and view of an image."""
    found = NAME.match(path.stem)
    if found is None:
        raise PairError(f"An image of CDD-CESM is named like P1_L_DM_CC.jpg, got {path.name}.")
    return found["patient"], found["side"], found["view"]


def _grey(path: Path) -> npt.NDArray[np.float32]:
    return np.asarray(Image.open(path).convert("L"), np.float32) / WHITE


def _fitted(
    image: npt.NDArray[np.float32], size: tuple[int, ...], name: str
) -> npt.NDArray[np.float32]:
    """The recombined image on the grid of the low-energy one."""
    if image.shape == size:
        return image
    misfit = max(abs(a / b - 1) for a, b in zip(image.shape, size, strict=True))
    if misfit > LARGEST_MISFIT:
        raise PairError(f"Images of a pair have one size, got {size} and {image.shape} at {name}.")
    picture = Image.fromarray(image).resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return np.asarray(picture, np.float32)
