"""What the slice positions of a series show: do the slices follow each other, is one missing?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydicom import Dataset

from node.assembling.stacks import kind_of, numbers

GAP_SHARE = 0.3
"""A step between slices that exceeds the usual one by this share is a gap."""


@dataclass(frozen=True)
class Positions:
    """What the slice positions of the images show.

    Attributes:
        regular: the slices of the largest stack follow each other without a gap; None when the
            images have no positions or are too few to tell.
        finding: the gap in words, "" when there is none.
        images_in_acquisition: the count (0020,1002) that the scanner promises, where all images
            name the same.
    """

    regular: bool | None = None
    finding: str = ""
    images_in_acquisition: int | None = None


def examine_positions(headers: Sequence[Dataset]) -> Positions:
    """What the slice positions show; the order of the images does not matter.

    Only the largest group of images of one kind is looked at: a scout in the series is no gap.
    """
    groups: dict[tuple[Any, ...], list[Dataset]] = {}
    for header in headers:
        kind = kind_of(header)
        rounded = tuple(round(cosine, 1) + 0.0 for cosine in kind.orientation)
        key = (kind.sop_class, kind.localiser, kind.derived, kind.matrix, rounded)
        groups.setdefault(key, []).append(header)
    if not groups:
        return Positions()
    largest = max(groups.values(), key=len)
    promised = {str(header.get("ImagesInAcquisition") or "") for header in headers}
    (text,) = promised if len(promised) == 1 else ("",)
    regular, finding = find_gap(_along_normal(largest))
    return Positions(regular, finding, int(text) if text.isdigit() else None)


def _along_normal(headers: Sequence[Dataset]) -> list[float]:
    """Slice positions along the normal in mm, rising; none when an image lacks one."""
    orientation = numbers(headers[0].get("ImageOrientationPatient"), 6)
    places = [numbers(header.get("ImagePositionPatient"), 3) for header in headers]
    if not orientation or not all(places):
        return []
    # PS3.3 C.7.6.2.1.1: the normal is the cross product of row and column cosines.
    normal = np.cross(np.asarray(orientation[:3]), np.asarray(orientation[3:]))
    return sorted(float(distance) for distance in np.asarray(places) @ normal)


def find_gap(positions: Sequence[float]) -> tuple[bool | None, str]:
    """Whether slices follow each other regularly, and the first gap in words.

    Args:
        positions: along the normal in mm, rising.

    Returns:
        True without a gap, False with one, None when three slices are not there to tell.
    """
    steps = np.diff(np.asarray(positions, dtype=float))
    steps = steps[steps > 1e-3]  # several images at one position (phases, echoes) are no gap
    if len(steps) < 2:
        return None, ""
    usual = float(np.median(steps))
    gaps = steps[steps > usual * (1 + GAP_SHARE)]
    if not len(gaps):
        return True, ""
    missing = sum(max(1, round(float(gap) / usual) - 1) for gap in gaps)
    return False, (
        f"Slices are missing: {len(gaps)} gap(s) among {len(positions)} slices that follow each "
        f"other every {usual:g} mm, the widest {float(gaps.max()):g} mm (about {missing} missing)."
    )
