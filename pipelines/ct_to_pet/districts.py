"""The four districts of the body, and what can tell them: an interface with several ways.

Labels are those of MOOSE's body model (legs 1, trunk 2, head 3, arms 4), so that its masks and
ours can stand in for each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from pipelines.ct_to_pet.body import Mask
from pipelines.ct_to_pet.grid import Cubes

Districts: TypeAlias = npt.NDArray[np.uint8]
"""(z, y, x) uint8 on the working grid: 0 outside the body, else a label of `LABELS`."""

LABELS: Mapping[str, int] = {"legs": 1, "trunk": 2, "head": 3, "arms": 4}
"""District to label."""


class DistrictSegmenter(Protocol):
    """Tells the districts of a body.

    Attributes:
        name: of the way, for the quality record.
        version: of it.
    """

    name: str
    version: str

    def districts(self, hu: Cubes, body: Mask) -> Districts:
        """Label every cube of the body.

        Args:
            hu: (z, y, x) mean HU of each cube.
            body: (z, y, x), see `pipelines.ct_to_pet.body`.
        """


def shares(districts: Districts) -> dict[str, float]:
    """The share of each district in the body; 0 where there is none of it."""
    inside = max(1, int(np.count_nonzero(districts)))
    return {
        name: float(np.count_nonzero(districts == label)) / inside for name, label in LABELS.items()
    }
