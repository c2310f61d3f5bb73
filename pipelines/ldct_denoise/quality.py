"""The quality record's figures and the traffic light, gathered slice by slice, memory bounded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipelines.calibration import calibration_values
from pipelines.contract import Slice
from pipelines.features import Features, series_features
from pipelines.ldct_denoise.anatomy import Shifts, edges_kept, noise
from pipelines.ldct_denoise.blocks import Blocks, block_means, blocks
from pipelines.ldct_denoise.input_distance import FEATURES, KnownInputs, slice_features
from pipelines.lights import GREEN, NO_NUMBERS, light_of, told, unfamiliar, verdict_of

SAMPLED_SLICES = 32
"""Slices of a series that are looked at closely; the others only by their block means."""


@dataclass(frozen=True)
class Limit:
    """When a figure is unusual and when it is wrong.

    Attributes:
        amber, red: limits; with `low` the figure must stay above them, else its size below.
        sentence: what it means when it does not; gets the figure.
    """

    amber: float
    red: float
    sentence: str
    low: bool = False

    def light(self, figure: float) -> str:
        """The light for one figure."""
        value, amber, red = abs(figure), self.amber, self.red
        if self.low:
            value, amber, red = -figure, -amber, -red
        return light_of(value, amber, red)


def _shift(tissue: str, amber: float, red: float) -> Limit:
    return Limit(amber, red, f"The values of {tissue} moved by {{:+.1f}} HU.")


LIMITS: dict[str, Limit] = {
    "neighbour_likeness": Limit(
        0.5, 0.3, "Neighbouring slices are hardly alike (correlation {:.2f}).", low=True
    ),
    "shift_air_hu": _shift("air", 20, 80),
    "shift_lung_hu": _shift("lung", 15, 60),
    "shift_fat_hu": _shift("fat", 8, 30),
    "shift_soft_hu": _shift("soft tissue", 5, 20),
    "shift_bone_hu": _shift("bone", 20, 80),
    "largest_slice_shift_hu": Limit(15, 50, "The values of one slice moved by {:.1f} HU."),
    "largest_jump_hu": Limit(15, 50, "Neighbouring slices were changed differently, by {:.1f} HU."),
    "edges_kept": Limit(0.85, 0.6, "Edges lost contrast: {:.2f} of it is left.", low=True),
    "noise_ratio": Limit(1.02, 1.5, "The noise did not fall: after / before is {:.2f}."),
}
"""Limits of the figures that do not depend on the calibration set."""


@dataclass(frozen=True)
class Calibration:
    """What the model's inputs look like, and the digest of the file that says so."""

    known: KnownInputs
    sha256: str


def read_calibration(folder: Path) -> Calibration:
    """Read the calibration beside the weights.

    Raises:
        CardError: it is absent or was made for other features.
    """
    values, digest = calibration_values(folder, FEATURES)
    known = KnownInputs(
        centre=np.asarray(values["centre"], np.float64),
        precision=np.asarray(values["precision"], np.float64),
        amber=float(values["amber_distance"]),
        red=float(values["red_distance"]),
    )
    return Calibration(known, digest)


class QualityMeter:
    """Gathers the figures while a series goes by.

    Args:
        slices: how many slices the series has.
        calibration: what the model's inputs look like.
    """

    def __init__(self, slices: int, calibration: Calibration) -> None:
        self._known = calibration.known
        count = min(slices, SAMPLED_SLICES)
        # evenly spread, never the first slice where there is another: it has no neighbour before
        places = np.linspace(min(1, slices - 1), slices - 1, count)
        self._sampled = {int(place) for place in places}
        self._index = 0
        self._last: Blocks | None = None
        self._shifts = Shifts()
        self._features: list[Features] = []
        self._noise: list[tuple[float, float]] = []
        self._edges: list[float] = []

    def add(self, before: Slice, after: Slice) -> None:
        """Take the next slice, (rows, columns) HU, before and after translation."""
        if self._index in self._sampled:
            self._look_closely(before, after)
        elif self._index + 1 in self._sampled:
            self._last = blocks(before)
            self._shifts.add(self._last.mean, block_means(after))
        else:
            self._shifts.add(block_means(before), block_means(after))
        self._index += 1

    def _look_closely(self, before: Slice, after: Slice) -> None:
        was, became = blocks(before), blocks(after)
        self._shifts.add(was.mean, became.mean)
        self._features.append(slice_features(was, self._last))
        self._noise.append((noise(was), noise(became)))
        self._edges.append(edges_kept(was, became))
        self._last = was

    def input_distance(self) -> float:
        """Distance of the input from what the model knows."""
        return self._known.distance(series_features(self._features))

    def measurements(self) -> dict[str, float]:
        """All figures by name; what the series does not tell is left out."""
        features = series_features(self._features)
        before, after = series_features([np.array(pair) for pair in self._noise])
        figures = {
            "amber_input_distance": self._known.amber,
            "red_input_distance": self._known.red,
            "neighbour_likeness": float(np.tanh(features[FEATURES.index("likeness")])),
            "noise_before_hu": float(before),
            "noise_after_hu": float(after),
            "noise_ratio": float(after / before) if before > 0 else 1.0,
            "edges_kept": float(series_features([np.array([kept]) for kept in self._edges])[0]),
            **self._shifts.measurements(),
        }
        return told(figures)

    def verdict(self) -> tuple[str, tuple[str, ...]]:
        """The light and a sentence for everything that is not green, worst first."""
        known = self._known
        findings = [] if self._shifts.finite else [NO_NUMBERS]
        findings += unfamiliar(self.input_distance(), known.amber, known.red)
        measured = self.measurements()
        for name, limit in LIMITS.items():
            light = limit.light(measured[name]) if name in measured else GREEN
            if light != GREEN:
                findings.append((light, limit.sentence.format(measured[name])))
        return verdict_of(findings)
