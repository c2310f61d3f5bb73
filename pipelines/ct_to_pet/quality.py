"""The quality record's figures and the traffic light of a synthetic PET.

PET from CT is a guess from anatomy: no figure here says that an
uptake is right, only that nothing visible speaks against the way it was made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.ct_to_pet.body import Mask
from pipelines.ct_to_pet.districts import Districts, shares
from pipelines.ct_to_pet.grid import CUBE_MM, Cubes
from pipelines.ct_to_pet.input_distance import Calibration
from pipelines.ct_to_pet.stitching import seam
from pipelines.features import Features
from pipelines.lights import AMBER, NO_NUMBERS, RED, Finding, told, unfamiliar, verdict_of

LEAST_DISTRICT_SHARE = 0.01
"""A district with less of the body than this is not worth a warning."""

SMALLEST_BODY_L = 0.3
MEAN_SUV = {AMBER: (0.2, 1.8), RED: (0.05, 4.0)}
"""Body means of SUV by weight: activity is conserved, so a whole body's is near 1 or below."""

DISAGREEMENT = {AMBER: 0.35, RED: 0.8}
"""Mean difference of district models and single model, as a share of the mean SUV."""

SEAM = {AMBER: 1.6, RED: 3.0}
"""How much steeper the image is across borders of districts than beside them."""

DIFFER = "District models and single model differ by {:.0%} of the mean SUV."
SEAM_SHOWS = "A seam shows where districts meet: {:.1f} times as steep as beside it."


@dataclass(frozen=True, eq=False)
class Made:
    """What is judged: everything on the working grid.

    Attributes:
        suv: (z, y, x), the result.
        other: the same by the other way (districts or single model); None where it was not asked.
        body: (z, y, x).
        districts: (z, y, x) labels.
        features: of the input; None where there is hardly a body.
        simulated_only: districts whose model has seen no real patient.
    """

    suv: Cubes
    other: Cubes | None
    body: Mask
    districts: Districts
    features: Features | None
    simulated_only: Sequence[str]


def measurements(made: Made, calibration: Calibration) -> dict[str, float]:
    """All figures by name; what cannot be told is left out."""
    inside = made.suv[made.body]
    mean = float(inside.mean()) if inside.size else float("nan")
    figures = {
        "amber_input_distance": calibration.amber,
        "red_input_distance": calibration.red,
        "body_l": float(np.count_nonzero(made.body)) * CUBE_MM**3 / 1e6,
        "mean_suvbw": mean,
        "largest_suvbw": float(inside.max()) if inside.size else float("nan"),
        "seam_ratio": seam(made.suv, made.districts),
        **{f"{name}_share": share for name, share in shares(made.districts).items()},
    }
    if made.other is not None and inside.size:
        apart = np.abs(made.other[made.body] - inside).mean()
        figures["disagreement_suvbw"] = float(apart)
        figures["disagreement_share"] = float(apart / max(mean, 1e-3))
    return told(figures)


def verdict(
    made: Made, measured: Mapping[str, float], distance: float, calibration: Calibration
) -> tuple[str, tuple[str, ...]]:
    """The light and a sentence for everything that is not green, worst first."""
    findings = _body(measured) + unfamiliar(distance, calibration.amber, calibration.red)
    findings += _plausible(measured)
    if not np.isfinite(made.suv).all():
        findings.append(NO_NUMBERS)
    return verdict_of(findings + _untaught(made, measured))


def _body(measured: Mapping[str, float]) -> list[Finding]:
    litres = measured["body_l"]
    if litres >= SMALLEST_BODY_L:
        return []
    return [(RED, f"Hardly a body is to be seen ({litres:.2f} l); nothing can be said of uptake.")]


def _plausible(measured: Mapping[str, float]) -> list[Finding]:
    findings: list[Finding] = []
    mean = measured.get("mean_suvbw", 1.0)
    for light in (RED, AMBER):
        low, high = MEAN_SUV[light]
        if not low <= mean <= high:
            findings.append((light, f"The mean SUV of the body, {mean:.2f}, is implausible."))
            break
    findings += _above(measured, "disagreement_share", DISAGREEMENT, DIFFER)
    findings += _above(measured, "seam_ratio", SEAM, SEAM_SHOWS)
    return findings


def _above(
    measured: Mapping[str, float], name: str, limits: Mapping[str, float], sentence: str
) -> list[Finding]:
    value = measured.get(name, 0.0)
    for light in (RED, AMBER):
        if value > limits[light]:
            return [(light, sentence.format(value))]
    return []


def _untaught(made: Made, measured: Mapping[str, float]) -> list[Finding]:
    """Districts for which there was no real patient to learn from."""
    seen = [
        name
        for name in made.simulated_only
        if measured.get(f"{name}_share", 0.0) > LEAST_DISTRICT_SHARE
    ]
    if not seen:
        return []
    words = " and ".join([", ".join(seen[:-1]), seen[-1]] if len(seen) > 1 else seen)
    return [(AMBER, f"The model of {words} was trained on simulated bodies only.")]
