"""The quality record's figures and the traffic light.

The mammogram is held against those that the model knows (Mahalanobis distance of a few features),
and the network is asked twice, the second time mirrored: where both answers differ it is unsure.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from pipelines.calibration import calibration_values
from pipelines.cesm_vce.framing import SIZE, Framed, Plane
from pipelines.features import Features, mahalanobis
from pipelines.lights import GREEN, NO_NUMBERS, light_of, told, unfamiliar, verdict_of

FEATURES = ("size", "at_wall", "at_front", "tone", "fine", "coarse")
"""In this order: log odds of the breast's share of the square; shares of the chest wall's and of
the opposite border that are breast; where the middle lies between dark and bright; how much
neighbouring pixels differ; how much regions differ."""

COARSE_SIGMA = 6.0
"""Of the smoothing for `coarse`, in pixels of the network."""

LEAST_SHARE = 0.01


@dataclass(frozen=True, eq=False)
class Calibration:
    """What the model's inputs look like, and the limits of its figures.

    Attributes:
        centre: (features,) mean.
        precision: (features, features) inverse of the covariance.
        amber_distance, red_distance: limits of the input's distance.
        amber_unsureness, red_unsureness: limits of `unsureness`.
        sha256: digest of the file.
    """

    centre: Features
    precision: npt.NDArray[np.float64]
    amber_distance: float
    red_distance: float
    amber_unsureness: float
    red_unsureness: float
    sha256: str

    def distance(self, features: Features) -> float:
        """Mahalanobis distance."""
        return mahalanobis(features, self.centre, self.precision)


def read_calibration(folder: Path) -> Calibration:
    """Read the calibration beside the weights.

    Raises:
        CardError: it is absent or was made for other features.
    """
    values, digest = calibration_values(folder, FEATURES)
    return Calibration(
        centre=np.asarray(values["centre"], np.float64),
        precision=np.asarray(values["precision"], np.float64),
        amber_distance=float(values["amber_distance"]),
        red_distance=float(values["red_distance"]),
        amber_unsureness=float(values["amber_unsureness"]),
        red_unsureness=float(values["red_unsureness"]),
        sha256=digest,
    )


def features_of(around: Framed) -> Features:
    """Describe a framed mammogram."""
    inside, seen = around.breast, around.seen
    wall = inside[:, : SIZE // 32], inside[:, -SIZE // 32 :]
    at_wall, at_front = wall if around.frame.chest_wall == "left" else wall[::-1]
    share = float(np.clip(inside.mean(), LEAST_SHARE, 1 - LEAST_SHARE))
    values = seen[inside]
    dark, bright = np.quantile(values, (0.02, 0.98))
    core = ndimage.binary_erosion(inside, iterations=2)
    fine = np.abs(ndimage.laplace(seen))[core].mean() if core.any() else 0.0
    weight = np.maximum(ndimage.gaussian_filter(inside.astype(np.float32), COARSE_SIGMA), 1e-3)
    smooth = ndimage.gaussian_filter(seen, COARSE_SIGMA) / weight
    return np.array(
        [
            np.log(share / (1 - share)),
            at_wall.mean(),
            at_front.mean(),
            (np.median(values) - dark) / max(bright - dark, 1e-6),
            np.log(fine + 1e-3),
            smooth[inside].std(),
        ],
        np.float64,
    )


@dataclass
class QualityMeter:
    """Gathers the figures of the mammograms of one translation; the worst of each counts.

    Attributes:
        calibration: what the model's inputs look like.
        figures: by name.
        finite: every value so far is a number.
    """

    calibration: Calibration
    figures: dict[str, float] = field(default_factory=dict)
    finite: bool = True

    def add(self, around: Framed, made: Plane, mirrored: Plane) -> None:
        """Take one mammogram and the network's two answers, (SIZE, SIZE) each."""
        inside = around.breast
        mean = (made + mirrored) / 2
        self.finite = self.finite and bool(np.isfinite(mean).all())
        middle, high = np.quantile(mean[inside], (0.5, 0.99))
        found = {
            "input_distance": self.calibration.distance(features_of(around)),
            "unsureness": float(np.abs(made - mirrored)[inside].mean()),
            "breast_share": float(inside.mean()),
            "plain_level": float(middle),
            "highest_enhancement": float(high - middle),
        }
        for name, value in found.items():
            self.figures[name] = max(value, self.figures.get(name, value))

    def input_distance(self) -> float:
        """Distance of the input from what the model knows."""
        return self.figures["input_distance"]

    def measurements(self) -> dict[str, float]:
        """All figures by name, limits beside them; what is no number is left out."""
        limits = {
            "amber_input_distance": self.calibration.amber_distance,
            "red_input_distance": self.calibration.red_distance,
        }
        found = {name: value for name, value in self.figures.items() if name != "input_distance"}
        return told(limits | found)

    def verdict(self) -> tuple[str, tuple[str, ...]]:
        """The light and a sentence for everything that is not green, worst first."""
        known = self.calibration
        findings = [] if self.finite else [NO_NUMBERS]
        findings += unfamiliar(
            self.input_distance(), known.amber_distance, known.red_distance, "The mammogram is"
        )
        unsure = self.figures["unsureness"]
        light = light_of(unsure, known.amber_unsureness, known.red_unsureness)
        if light != GREEN:
            sentence = f"The model is unsure: mirrored it gives values that differ by {unsure:.3f}."
            findings.append((light, sentence))
        return verdict_of(findings)
