"""The anatomy of a simulated body: tissues with HU and uptake, organs as ellipsoids and tubes.

A body stands along z (LPS millimetres, feet at 0). Everything is drawn from the outside in: what
comes later replaces what it is drawn into. Sizes are shares of the height, after textbook
proportions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np


@dataclass(frozen=True)
class Tissue:
    """What something is made of: HU, and SUV as a lognormal (median, spread of the logarithm)."""

    hu: float
    suv: float
    spread: float = 0.15


TISSUES: Mapping[str, Tissue] = {
    "air": Tissue(-990, 0.0),
    "fat": Tissue(-100, 0.3),
    "trunk muscle": Tissue(55, 0.75),
    "leg muscle": Tissue(58, 0.6),
    "arm muscle": Tissue(56, 0.5),
    "neck muscle": Tissue(52, 0.9),
    "cortex": Tissue(850, 0.5),
    "leg marrow": Tissue(120, 0.45),
    "spine": Tissue(230, 1.6),
    "pelvis bone": Tissue(330, 1.1),
    "lung": Tissue(-800, 0.45),
    "blood": Tissue(48, 1.7),
    "myocardium": Tissue(50, 2.5, 0.8),
    "liver": Tissue(58, 2.2),
    "spleen": Tissue(50, 1.9),
    "kidney": Tissue(34, 3.2, 0.4),
    "bladder": Tissue(6, 12.0, 0.6),
    "stomach": Tissue(28, 1.6, 0.4),
    "bowel": Tissue(22, 1.2, 0.6),
    "grey matter": Tissue(38, 8.0, 0.25),
    "white matter": Tissue(30, 3.6, 0.25),
    "lesion": Tissue(42, 5.0, 0.6),
}
"""Textbook values; FDG an hour after injection in a fasted adult."""


@dataclass(frozen=True)
class Tube:
    """An ellipse in every slice of a stretch of z: an organ, a limb, a bone.

    Attributes:
        tissue: a key of `TISSUES`.
        z: first and last millimetre.
        centre: (x, y) at both ends of the stretch, mm.
        radii: (x, y) at both ends, mm.
        round_ends: an ellipsoid: the radii shrink to nothing at the ends.
        district: a key of `LABELS`; "" keeps that of what it is drawn into.
    """

    tissue: str
    z: tuple[float, float]
    centre: tuple[tuple[float, float], tuple[float, float]]
    radii: tuple[tuple[float, float], tuple[float, float]]
    round_ends: bool = False
    district: str = ""

    def grown(self, by_mm: float, tissue: str) -> Tube:
        """The same, wider by so much (narrower below 0), of another tissue of what it lies in."""
        (ax, ay), (bx, by) = self.radii
        radii = ((ax + by_mm, ay + by_mm), (bx + by_mm, by + by_mm))
        return replace(self, tissue=tissue, radii=radii, district="")

    def at(self, z: float) -> tuple[float, float, float, float]:
        """Centre and radii (x, y, rx, ry) in one slice."""
        share = (z - self.z[0]) / (self.z[1] - self.z[0])
        x, y = (a + share * (b - a) for a, b in zip(*self.centre, strict=True))
        rx, ry = (a + share * (b - a) for a, b in zip(*self.radii, strict=True))
        shrink = float(np.sqrt(max(0.0, 1 - (2 * share - 1) ** 2))) if self.round_ends else 1.0
        return x, y, rx * shrink, ry * shrink


def ellipsoid(tissue: str, centre: tuple[float, float, float], radii: tuple[float, float, float],
              district: str = "") -> Tube:  # fmt: skip
    """An ellipsoid; centre and radii are (x, y, z) in mm."""
    x, y, z = centre
    rx, ry, rz = radii
    return Tube(tissue, (z - rz, z + rz), ((x, y),) * 2, ((rx, ry),) * 2, True, district)


BOWEL = (
    (-0.5, -0.3, 0.55),
    (0.0, -0.45, 0.555),
    (0.5, -0.3, 0.56),
    (-0.25, -0.4, 0.52),
    (0.3, -0.4, 0.525),
    (0.0, -0.3, 0.50),
)
"""Where loops of bowel lie: shares of the trunk's radii, and of the height."""


@dataclass(frozen=True)
class Body:
    """Everything random about one body.

    Attributes:
        height: mm.
        fatness: 0 to 1.
        arms: `down`, `up` or `away` (outside the scan).
        coverage: lowest and highest z that is scanned, mm.
        uptake: factor of tissue to its SUV in this patient.
        lesions: centres (x, y, z) and radii in mm.
        fwhm_mm, ct_noise_hu, pet_noise: of the scanners.
        seed: of the noise.
    """

    height: float
    fatness: float
    arms: str
    coverage: tuple[float, float]
    uptake: Mapping[str, float] = field(repr=False)
    lesions: tuple[tuple[float, float, float, float], ...]
    fwhm_mm: float
    ct_noise_hu: float
    pet_noise: float
    seed: int

    @property
    def fat_mm(self) -> float:
        """Thickness of the fat under the skin of the trunk."""
        return 8 + 30 * self.fatness


def anatomy(body: Body) -> list[Tube]:
    """Everything that a body is made of, in the order in which it is drawn."""
    return [*arms(body), *legs(body), *head(body), *trunk(body)]


def trunk(body: Body) -> list[Tube]:
    """Fat, muscle, cavities, organs, spine and pelvis between crotch and neck."""
    h, fat = body.height, body.fat_mm
    a, b = 0.088 * h + 0.3 * fat, 0.056 * h + 0.5 * fat
    hips = Tube(
        "fat", (0.455 * h, 0.60 * h), ((0, 0),) * 2, ((1.12 * a, b), (a, b)), False, "trunk"
    )
    chest = Tube(
        "fat", (0.60 * h, 0.835 * h), ((0, 0),) * 2, ((a, b), (1.16 * a, b)), False, "trunk"
    )
    outer = [hips, chest]
    muscle = [tube.grown(-fat, "trunk muscle") for tube in outer]
    inner = chest.radii[0][0] - fat, chest.radii[0][1] - fat
    return [*outer, *muscle, *_chest(h, *inner), *_abdomen(h, *inner), *_skeleton(h, *inner)]


def _chest(h: float, a: float, b: float) -> list[Tube]:
    lungs = [
        ellipsoid("lung", (side * 0.5 * a, -5, 0.735 * h), (0.40 * a, 0.74 * b, 0.078 * h))
        for side in (-1, 1)
    ]
    heart = (0.14 * a, -0.22 * b, 0.705 * h)
    return [
        *lungs,
        ellipsoid("blood", heart, (0.30 * a, 0.36 * b, 0.034 * h)),
        ellipsoid("myocardium", (0.3 * a, -0.2 * b, 0.698 * h), (0.19 * a, 0.24 * b, 0.024 * h)),
        ellipsoid("blood", (0.3 * a, -0.2 * b, 0.698 * h), (0.11 * a, 0.14 * b, 0.014 * h)),
        Tube("blood", (0.56 * h, 0.76 * h), ((8, 0.38 * b),) * 2, ((11, 11),) * 2),
        Tube("air", (0.755 * h, 0.84 * h), ((0, 0.05 * b), (0, -0.1 * b)), ((8, 8),) * 2),
    ]


def _abdomen(h: float, a: float, b: float) -> list[Tube]:
    bowel = [
        ellipsoid("bowel", (x * a, y * b, z * h), (0.16 * a, 0.2 * b, 0.016 * h))
        for x, y, z in BOWEL
    ]
    return [
        ellipsoid("liver", (-0.45 * a, -0.05 * b, 0.635 * h), (0.48 * a, 0.66 * b, 0.044 * h)),
        ellipsoid("spleen", (0.66 * a, 0.3 * b, 0.640 * h), (0.2 * a, 0.3 * b, 0.028 * h)),
        ellipsoid("stomach", (0.35 * a, -0.3 * b, 0.63 * h), (0.26 * a, 0.32 * b, 0.026 * h)),
        *(
            ellipsoid("kidney", (side * 0.46 * a, 0.42 * b, 0.595 * h), (24, 22, 0.031 * h))
            for side in (-1, 1)
        ),
        *bowel,
        ellipsoid("bladder", (0, -0.3 * b, 0.475 * h), (34, 28, 0.018 * h)),
    ]


def _skeleton(h: float, a: float, b: float) -> list[Tube]:
    wings = [
        piece
        for side in (-1, 1)
        for piece in (
            ellipsoid("cortex", (side * 0.62 * a, 0.25 * b, 0.515 * h), (30, 38, 0.034 * h)),
            ellipsoid("pelvis bone", (side * 0.62 * a, 0.25 * b, 0.515 * h), (24, 32, 0.030 * h)),
        )
    ]
    column = Tube("cortex", (0.485 * h, 0.87 * h), ((0, 0.62 * b), (0, 0.35 * b)),
                  ((22, 20), (12, 11)))  # fmt: skip
    ribs = [
        ellipsoid("cortex", (side * 0.93 * a * x, y * b, z * h), (7, 14, 9))
        for z in (0.66, 0.69, 0.72, 0.75, 0.78)
        for side in (-1, 1)
        for x, y in ((1.0, 0.0), (0.72, -0.68), (0.72, 0.68))
    ]
    return [*wings, column, column.grown(-4, "spine"), *ribs]


def legs(body: Body) -> list[Tube]:
    """Two legs: fat, muscle, the long bones with their marrow."""
    h, fat = body.height, 0.5 * body.fat_mm
    pieces: list[Tube] = []
    for side in (-1.0, 1.0):
        hip, knee, foot = side * 0.056 * h, side * 0.052 * h, side * 0.05 * h
        thick, mid, thin = 0.040 * h + fat, 0.029 * h + fat / 2, 0.019 * h + fat / 3
        thigh = Tube("fat", (0.27 * h, 0.47 * h), ((knee, 0), (hip, 0)),
                     ((mid, mid), (thick, 1.1 * thick)),
                     False, "legs")  # fmt: skip
        shank = Tube("fat", (0.0, 0.27 * h), ((foot, 0), (knee, 0)), ((thin, thin), (mid, mid)),
                     False, "legs")  # fmt: skip
        femur = Tube("cortex", (0.26 * h, 0.50 * h), ((knee, 0), (hip, 5)), ((19, 19), (15, 15)))
        tibia = Tube("cortex", (0.02 * h, 0.26 * h), ((foot, -8), (knee, -4)), ((12, 12), (18, 18)))
        pieces += [
            thigh,
            shank,
            thigh.grown(-fat, "leg muscle"),
            shank.grown(-fat / 2, "leg muscle"),
            femur,
            femur.grown(-6, "leg marrow"),
            tibia,
            tibia.grown(-5, "leg marrow"),
        ]
    return pieces


def head(body: Body) -> list[Tube]:
    """Neck and head: skull, grey matter round white matter, airway, jaw."""
    h = body.height
    neck = Tube(
        "fat", (0.83 * h, 0.885 * h), ((0, 10), (0, 4)), ((66, 64), (60, 62)), False, "head"
    )
    skull = ellipsoid("cortex", (0, 4, 0.945 * h), (71, 90, 0.056 * h), "head")
    brain = ellipsoid("grey matter", (0, 6, 0.945 * h), (64, 83, 0.051 * h))
    return [
        neck,
        neck.grown(-7, "neck muscle"),
        ellipsoid("fat", (0, 0, 0.935 * h), (78, 98, 0.068 * h), "head"),
        ellipsoid("neck muscle", (0, -20, 0.905 * h), (58, 66, 0.03 * h)),
        skull,
        brain,
        ellipsoid("white matter", (0, 6, 0.945 * h), (44, 60, 0.032 * h)),
        Tube("air", (0.84 * h, 0.905 * h), ((0, -8), (0, -30)), ((8, 8), (12, 16))),
        Tube("cortex", (0.84 * h, 0.9 * h), ((0, 40), (0, 22)), ((15, 14), (17, 16))),
        ellipsoid("cortex", (0, -72, 0.888 * h), (38, 10, 10)),
    ]


def arms(body: Body) -> list[Tube]:
    """Both arms along the trunk, or raised beside the head; none when they were held away."""
    if body.arms == "away":
        return []
    h, fat = body.height, 0.25 * body.fat_mm
    shoulder, reach = 0.088 * h + 0.3 * body.fat_mm + 42, 0.33 * h
    pieces: list[Tube] = []
    for side in (-1.0, 1.0):
        near, far = side * shoulder, side * (shoulder + (28 if body.arms == "down" else -45))
        z = (0.82 * h - reach, 0.82 * h) if body.arms == "down" else (0.82 * h, 0.82 * h + reach)
        ends = ((far, 0.0), (near, 0.0)) if body.arms == "down" else ((near, 0.0), (far, 0.0))
        thin, thick = (26.0 + fat, 26.0 + fat), (40.0 + fat, 42.0 + fat)
        radii = (thin, thick) if body.arms == "down" else (thick, thin)
        arm = Tube("fat", z, ends, radii, False, "arms")
        bone = Tube("cortex", z, ends, ((10, 10),) * 2)
        pieces += [arm, arm.grown(-fat - 3, "arm muscle"), bone, bone.grown(-4, "leg marrow")]
    return pieces
