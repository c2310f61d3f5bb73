"""The report's pictures: a panel of one slice, and noise power curves; drawn with Pillow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from trainers.evaluation.denoisers import RIVALS, Denoiser, unchanged
from trainers.evaluation.low_dose_table import WINDOWS, cases, tuned
from trainers.readers.series import TrainingSeries
from trainers.simulation.noise_calibration import calibrate

DIFFERENCE_HU = (-100.0, 100.0)
SIDE = 320
"""Width and height of one picture of the panel, pixels."""

PLOT = (640, 400)
MARGIN = 48
COLOURS = ("#888888", "#d08000", "#0070c0", "#c00060", "#000000")

Picture = npt.NDArray[np.float32]


def panel(series: TrainingSeries, ours: Denoiser, dose: float, path: Path) -> None:
    """Input, rival, ours, full dose; below them what each took away, and what is left wrong.

    Args:
        series: may be published as pictures.
        ours: the network.
        dose: fraction of the acquired dose.
        path: PNG to write.
    """
    some = series.slices[:: max(1, len(series.slices) // 6)]
    case = cases(series, dose, 1, calibrate(some, series.pixel_spacing_mm))[0]
    window = WINDOWS["abdomen"]
    methods: dict[str, Denoiser] = {f"{dose:.0%} dose": unchanged}
    methods |= {name: tuned(name, case, window) for name in RIVALS if name != "bilateral"}
    methods["ours"] = ours
    shown = {name: method(case.low, case.sigma) for name, method in methods.items()}
    top = [_grey(image, window.low, window.high, name) for name, image in shown.items()]
    top.append(_grey(case.full, window.low, window.high, "full dose"))
    wrong = [
        _grey(image - case.full, *DIFFERENCE_HU, f"{name} - full dose")
        for name, image in shown.items()
    ]
    sheet = Image.new("L", (SIDE * len(top), 2 * SIDE))
    for row, pictures in enumerate((top, wrong)):
        for column, picture in enumerate(pictures):
            sheet.paste(picture, (column * SIDE, row * SIDE))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, optimize=True)


def _grey(image: Picture, low: float, high: float, title: str) -> Image.Image:
    """The middle of (rows, columns) HU between `low` and `high` as a labelled grey picture."""
    top, left = (max(0, (side - SIDE) // 2) for side in image.shape)
    part = image[top : top + SIDE, left : left + SIDE]
    grey = np.clip((part - low) / (high - low), 0, 1) * 255
    picture = Image.fromarray(grey.astype(np.uint8))
    ImageDraw.Draw(picture).text((6, 4), title, fill=255, stroke_width=2, stroke_fill=0)
    return picture


def noise_power_curves(results: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Noise power spectra of the phantom, each divided by its area: shape without height.

    Args:
        results: `method`, `frequency` (cycles per mm) and `power` of each.
        path: PNG to write.
    """
    picture = Image.new("RGB", PLOT, "white")
    draw = ImageDraw.Draw(picture)
    shapes = [np.array(result["power"]) / np.sum(result["power"]) for result in results]
    highest, widest = max(shape.max() for shape in shapes), max(results[0]["frequency"])
    width, height = PLOT[0] - 2 * MARGIN, PLOT[1] - 2 * MARGIN
    draw.rectangle((MARGIN, MARGIN, MARGIN + width, MARGIN + height), outline="black")
    for tick in np.arange(0, widest, 0.1):
        x = MARGIN + width * tick / widest
        draw.line((x, MARGIN + height, x, MARGIN + height + 5), fill="black")
        draw.text((x - 8, MARGIN + height + 8), f"{tick:.1f}", fill="black")
    draw.text((MARGIN, 16), "noise power, each curve divided by its area", fill="black")
    draw.text((PLOT[0] - 3 * MARGIN, PLOT[1] - 20), "cycles per mm", fill="black")
    for place, (result, shape) in enumerate(zip(results, shapes, strict=True)):
        colour = COLOURS[place % len(COLOURS)]
        x = MARGIN + width * np.array(result["frequency"]) / widest
        y = MARGIN + height * (1 - shape / highest)
        draw.line(list(zip(x.tolist(), y.tolist(), strict=True)), fill=colour, width=2)
        draw.text((PLOT[0] - 200, MARGIN + 8 + 16 * place), result["method"], fill=colour)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, optimize=True)
