"""The quality record's figures and the traffic light.

The input is held against those that the model knows (Mahalanobis distance of a few features); the
outline of the body has to be the same before and after; tissue has to have its CT number, and most
of it has to lie where there is an image; and the network is asked a second time, mirrored: where
both answers differ it is unsure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipelines.calibration import calibration_values
from pipelines.contract import Slice
from pipelines.features import Features, mahalanobis, series_features
from pipelines.lights import (
    AMBER,
    GREEN,
    NO_NUMBERS,
    RED,
    Finding,
    light_of,
    told,
    unfamiliar,
    verdict_of,
)

FEATURES = ("body", "dark", "middle", "contrast", "grain", "phases")
"""In this order: share of the image that is body (log odds); share of the body that is dark (log
odds); median of the body; spread of the body; how much neighbouring pixels differ; how much darker
the opposed phase is (0 without one)."""

BODY_ABOVE = 0.08
"""Of the bright end: signal of a body."""
DARK_BELOW = 0.2
BODY_ABOVE_HU = -500.0
LEAST_PIXELS = 200
"""Slices with less body tell nothing."""
LEAST_SHARE = 0.005

TISSUES: Mapping[str, tuple[float, float]] = {
    "fat": (-160.0, -40.0),
    "soft": (-40.0, 140.0),
    "bone": (200.0, 3071.0),
}
"""CT numbers, HU."""

FEWEST_AGREEING, FEWEST_SURE = 0.75, 0.9
"""Outlines that overlap less (Dice) are red, or amber."""

MOST_GUESSED = 0.1
"""More of the tissue than this where the MR has no image is amber."""


@dataclass(frozen=True, eq=False)
class KnownInputs:
    """The series that one model knows.

    Attributes:
        centre: (features,) mean.
        precision: (features, features) inverse of the covariance.
        amber_distance, red_distance: limits of the input's distance.
        amber_unsureness_hu, red_unsureness_hu: limits of the difference of mirrored answers.
    """

    centre: Features
    precision: npt.NDArray[np.float64]
    amber_distance: float
    red_distance: float
    amber_unsureness_hu: float
    red_unsureness_hu: float

    def distance(self, features: Features) -> float:
        """Mahalanobis distance; a feature that is not known counts as usual."""
        return mahalanobis(features, self.centre, self.precision)


@dataclass(frozen=True, eq=False)
class Calibration:
    """What the models' inputs look like.

    Attributes:
        known: by the name of the model.
        sha256: digest of the file.
    """

    known: Mapping[str, KnownInputs]
    sha256: str


def read_calibration(folder: Path) -> Calibration:
    """Read the calibration beside the weights.

    Raises:
        CardError: it is absent or was made for other features.
    """
    values, digest = calibration_values(folder, FEATURES)
    known = {
        name: KnownInputs(
            np.asarray(own["centre"], np.float64),
            np.asarray(own["precision"], np.float64),
            float(own["amber_distance"]),
            float(own["red_distance"]),
            float(own["amber_unsureness_hu"]),
            float(own["red_unsureness_hu"]),
        )
        for name, own in values["models"].items()
    }
    return Calibration(known, digest)


def slice_features(images: npt.NDArray[np.float32]) -> Features:
    """Describe one slice, (modalities, rows, columns), bright end 1, as the network sees it."""
    first = images[0]
    body = first > BODY_ABOVE
    if np.count_nonzero(body) < LEAST_PIXELS:
        return np.full(len(FEATURES), np.nan)
    values = first[body]
    steps = np.abs(np.diff(first, axis=1))[body[:, 1:] & body[:, :-1]]
    phases = float(np.median(images[1][body] / values)) if len(images) > 1 else 0.0
    return np.array(
        [
            _log_odds(float(body.mean())),
            _log_odds(float((values < DARK_BELOW).mean())),
            float(np.median(values)),
            float(values.std()),
            float(np.log(np.median(steps) + 1e-3)),
            phases,
        ]
    )


@dataclass
class QualityMeter:
    """Gathers the figures while a series goes by.

    Attributes:
        known: the series that the model knows.
        remarks: sentences that make the light amber whatever the figures say.
    """

    known: KnownInputs
    remarks: tuple[str, ...] = ()
    finite: bool = True
    _features: list[Features] = field(default_factory=list)
    _outlines: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(3, np.int64))
    _tissues: dict[str, tuple[float, int]] = field(default_factory=dict)
    _guessed: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(2, np.int64))
    _unsure: list[float] = field(default_factory=list)

    def add(self, images: npt.NDArray[np.float32], made: Slice) -> None:
        """Take the next slice: (modalities, rows, columns) as seen, and (rows, columns) HU."""
        self.finite = self.finite and bool(np.isfinite(made).all())
        self._features.append(slice_features(images))
        before, after = images[0] > BODY_ABOVE, made > BODY_ABOVE_HU
        # padding says nothing, bone is dark: only what is bright is asked for
        imaged = images[0] > 0
        counts = (before & after, before & imaged, after & (before | (images[0] > 0.02)))
        self._outlines += [int(np.count_nonzero(part)) for part in counts]
        self._guessed += [int(np.count_nonzero(after & ~imaged)), int(np.count_nonzero(after))]
        for name, (low, high) in TISSUES.items():
            inside = made[(made > low) & (made < high)]
            total, count = self._tissues.get(name, (0.0, 0))
            self._tissues[name] = (total + float(inside.sum()), count + inside.size)

    def add_second_answer(self, made: Slice, mirrored: Slice, body: npt.NDArray[np.bool_]) -> None:
        """Take both answers to one slice, mirrored back, HU."""
        if body.any():
            self._unsure.append(float(np.abs(made - mirrored)[body].mean()))

    def input_distance(self) -> float:
        """Distance of the input from what the model knows."""
        return self.known.distance(series_features(self._features))

    def outlines_agree(self) -> float:
        """Dice coefficient of the body before and after; 1 where there is none."""
        both, before, after = (int(count) for count in self._outlines)
        return 2 * both / (before + after) if before + after else 1.0

    def guessed_share(self) -> float:
        """Share of the tissue that lies where the MR is exactly 0: padded, or masked air."""
        guessed, tissue = (int(count) for count in self._guessed)
        return guessed / tissue if tissue else 0.0

    def measurements(self) -> dict[str, float]:
        """All figures by name, limits beside them."""
        known = self.known
        total = sum(count for _, count in self._tissues.values())
        figures = {
            "amber_input_distance": known.amber_distance,
            "red_input_distance": known.red_distance,
            "outlines_agree": self.outlines_agree(),
            "guessed_share": self.guessed_share(),
            "unsureness_hu": float(np.mean(self._unsure)) if self._unsure else 0.0,
        }
        for name, (values, count) in self._tissues.items():
            figures[f"{name}_share"] = count / total if total else 0.0
            if count:
                figures[f"mean_{name}_hu"] = values / count
        return told(figures)

    def verdict(self) -> tuple[str, tuple[str, ...]]:
        """The light and a sentence for everything that is not green, worst first."""
        findings = [(AMBER, remark) for remark in self.remarks]
        known = self.known
        findings += unfamiliar(self.input_distance(), known.amber_distance, known.red_distance)
        return verdict_of([*findings, *self._output_findings()])

    def _output_findings(self) -> list[Finding]:
        findings = [] if self.finite else [NO_NUMBERS]
        if not np.isfinite(self._features).any():
            findings.append((RED, "No slice of the MR shows a body; nothing can be said of a CT."))
        agree = self.outlines_agree()
        light = light_of(1 - agree, 1 - FEWEST_SURE, 1 - FEWEST_AGREEING)
        if light != GREEN:
            findings.append(
                (light, f"The body's outline is another one than in the MR (Dice {agree:.2f}).")
            )
        guessed = self.guessed_share()
        if guessed > MOST_GUESSED:
            findings.append(
                (
                    AMBER,
                    f"{guessed:.0%} of the tissue lies where the MR is exactly 0; there it is a "
                    "guess. Where the scanner blanks out air, set blank_is_air to 1.",
                )
            )
        unsure = self.measurements().get("unsureness_hu", 0.0)  # left out where it is no number
        known = self.known
        light = light_of(unsure, known.amber_unsureness_hu, known.red_unsureness_hu)
        if light != GREEN:
            findings.append(
                (light, f"The model is unsure: mirrored it differs by {unsure:.0f} HU in the body.")
            )
        return findings


def _log_odds(share: float) -> float:
    bounded = min(max(share, LEAST_SHARE), 1 - LEAST_SHARE)
    return float(np.log(bounded / (1 - bounded)))
