"""How far a CT is from those that the model knows: what its body is made of, Mahalanobis.

Numbers that a reader would recognise, over the cubes of the body: how much of it is lung or gas,
fat, soft tissue and bone, where fat and soft tissue lie on the HU scale, how uneven it is within
cubes.
The model knows two kinds of CT (real thighs and pelves, simulated bodies): the nearer one counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipelines.calibration import calibration_values
from pipelines.ct_to_pet.body import Mask
from pipelines.features import Features, mahalanobis

FEATURES = ("gas", "fat", "soft", "bone", "fat_hu", "soft_hu", "unevenness")
"""Log odds of four shares; median HU of fat and of soft tissue / 10; log of texture's median."""

CLASSES: Mapping[str, tuple[float, float]] = {
    "gas": (-2000, -400),
    "fat": (-200, -30),
    "soft": (-10, 130),
    "bone": (170, 4000),
}
"""HU of a cube of each class."""

LEAST_SHARE = 0.005
LEAST_CUBES = 500
"""A body smaller than this (32 ml) tells nothing."""


@dataclass(frozen=True, eq=False)
class KnownGroup:
    """One kind of CT that the model knows.

    Attributes:
        name: for people.
        centre: (features,) their mean.
        precision: (features, features) inverse of their covariance.
    """

    name: str
    centre: Features
    precision: npt.NDArray[np.float64]

    def distance(self, features: Features) -> float:
        """Mahalanobis distance."""
        return mahalanobis(features, self.centre, self.precision)


@dataclass(frozen=True)
class Calibration:
    """The kinds that the model knows, the limits, and the digest of the file that says so.

    Attributes:
        groups: what is known.
        amber, red: distances above which an input is unusual, and unlike anything known.
        sha256: of the file.
    """

    groups: tuple[KnownGroup, ...]
    amber: float
    red: float
    sha256: str

    def distance(self, features: Features) -> float:
        """Distance from the nearest known kind."""
        return min(group.distance(features) for group in self.groups)


def body_features(seen: npt.NDArray[np.floating], body: Mask) -> Features | None:
    """Describe a CT.

    Args:
        seen: (3, z, y, x), what the network is shown.
        body: (z, y, x), the body.

    Returns:
        The features; None where there is hardly a body.
    """
    hu = seen[0][body].astype(np.float64) * 1000
    if hu.size < LEAST_CUBES:
        return None
    inside = {name: (hu > low) & (hu < high) for name, (low, high) in CLASSES.items()}
    shares = np.array([values.mean() for values in inside.values()])
    shares = np.clip(shares, LEAST_SHARE, 1 - LEAST_SHARE)
    middles = [float(np.median(hu[inside[name]])) if inside[name].any() else (-100.0, 50.0)[n]
               for n, name in enumerate(("fat", "soft"))]  # fmt: skip
    texture = float(np.median(seen[2][body].astype(np.float64))) * 50 + 1.0
    odds = np.log(shares / (1 - shares))
    return np.array([*odds, *(middle / 10 for middle in middles), np.log(texture)])


def read_calibration(folder: Path) -> Calibration:
    """Read the calibration beside the weights.

    Raises:
        CardError: it is absent or was made for other features.
    """
    values, digest = calibration_values(folder, FEATURES)
    groups = tuple(
        KnownGroup(one["name"], np.array(one["centre"]), np.array(one["precision"]))
        for one in values["groups"]
    )
    return Calibration(groups, values["amber_distance"], values["red_distance"], digest)
