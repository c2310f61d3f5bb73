"""The districts by shape alone: what is a limb, where is the skull, where do the legs part.

No weights and no download. Along z the body is legs, then trunk, then head; each slice says what it
looks like, and the two borders are put where the slices agree best. Arms are what lies
beside trunk or head and is not part of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from pipelines.ct_to_pet.body import Mask
from pipelines.ct_to_pet.districts import LABELS, Districts
from pipelines.ct_to_pet.grid import CUBE_MM, Cubes

Plane = npt.NDArray[np.bool_]
"""(y, x) of one slice."""

BONE_HU, CORTEX_HU, GAS_HU = 170.0, 480.0, -500.0
"""Means of cubes above (bone, dense bone) and below (lung, gas) these."""

CM2 = CUBE_MM**2 / 100
"""Area of a cube in a slice."""

BRAIN_CM2 = (35.0, 300.0)
"""Soft tissue that a skull encloses."""

LARGEST_LEG_CM2 = 400.0
"""A part with more area than this is no leg."""

LARGEST_LEG_BONE_CM2 = 40.0
SMALLEST_LEG_CM2 = 40.0
LARGEST_ARM_CM2 = 160.0

NECK_CM2 = 250.0
"""Below the skull the head district goes on as long as slices have less area than this."""

ARM_GAP_CUBES = 2
"""Arms that touch the trunk by less than twice this are told from it."""

SIDE = 0.55
"""Arms begin at this share of the trunk's half width."""


@dataclass(frozen=True)
class _Look:
    """What one slice looks like.

    Attributes:
        area: of the body, cm2.
        skull: how much soft tissue is enclosed by bone, 1 when it can be a brain, else 0.
        leg: above 0 like legs, below 0 like a trunk.
    """

    area: float
    skull: bool
    leg: float


class GeometricSegmenter:
    """Tells the districts by their shape; see the module."""

    name = "geometric"
    version = "1"

    def districts(self, hu: Cubes, body: Mask) -> Districts:
        """Label every cube of the body."""
        looks = [_look(values, mask) for values, mask in zip(hu, body, strict=True)]
        legs_end = _best_border(looks)
        head_begins = max(_head_begins(looks), legs_end)
        labels = np.full(hu.shape, LABELS["trunk"], np.uint8)
        labels[:legs_end] = LABELS["legs"]
        labels[head_begins:] = LABELS["head"]
        middle = _middle(body[legs_end:] if legs_end < len(body) else body)
        for index in range(legs_end, len(body)):
            labels[index][_beside(body[index], middle)] = LABELS["arms"]
        for index in range(legs_end):
            labels[index][_hands(body[index])] = LABELS["arms"]
        return np.where(body, labels, 0).astype(np.uint8)


def _look(hu: npt.NDArray[np.float32], body: Plane) -> _Look:
    area = float(np.count_nonzero(body)) * CM2
    bone = body & (hu > BONE_HU)
    return _Look(area, _holds_brain(hu, bone), _leg_score(hu, body, bone, area))


def _holds_brain(hu: npt.NDArray[np.float32], bone: Plane) -> bool:
    """Whether bone closes round soft tissue of a brain's size."""
    closed = ndimage.binary_closing(np.pad(bone, 3), iterations=2)[3:-3, 3:-3] | bone
    inside = ndimage.binary_fill_holes(closed) & ~closed
    size = float(np.count_nonzero(inside)) * CM2
    return bool(BRAIN_CM2[0] <= size <= BRAIN_CM2[1] and -20 < float(np.median(hu[inside])) < 90)


def _leg_score(hu: npt.NDArray[np.float32], body: Plane, bone: Plane, area: float) -> float:
    """How much a slice looks like one leg or two, from -1 to 1; 0 says nothing."""
    if area < SMALLEST_LEG_CM2 / 2:
        return 0.0
    gas = float(np.count_nonzero(body & (hu < GAS_HU))) * CM2
    parts = _areas(body)
    bone_area = float(np.count_nonzero(bone)) * CM2
    if gas > 0.02 * area or parts[0] > LARGEST_LEG_CM2 or bone_area > LARGEST_LEG_BONE_CM2:
        return -1.0
    two = len(parts) > 1 and parts[1] > max(SMALLEST_LEG_CM2, 0.4 * parts[0])
    dense = float(np.count_nonzero(bone & (hu > CORTEX_HU))) * CM2 / max(bone_area, 1.0)
    pieces = sum(piece > 1.0 for piece in _areas(bone))
    long_bones = 0 < pieces <= 4 and dense > 0.25
    return 0.6 * (1 if two else -0.3) + 0.4 * (1 if long_bones else -1)


def _areas(mask: Plane) -> list[float]:
    """Areas of the connected parts in cm2, largest first."""
    labels, count = ndimage.label(mask)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:] * CM2
    return sorted((float(size) for size in sizes), reverse=True) or [0.0]


def _best_border(looks: list[_Look]) -> int:
    """How many slices from below are legs: where what is left of it agrees best."""
    scores = np.array([-1.0 if look.skull else look.leg for look in looks])
    below = np.concatenate([[0.0], np.cumsum(scores)])  # legs below the border count for it
    above = below[-1] - below
    return int(np.argmax(below - above))


def _head_begins(looks: list[_Look]) -> int:
    """The first slice of the head with its neck; the number of slices where there is none."""
    skull = [index for index, look in enumerate(looks) if look.skull]
    if len(skull) < 3:
        return len(looks)
    index = skull[0]
    while index > 0 and looks[index - 1].area < NECK_CM2:
        index -= 1
    return index


def _middle(body: Mask) -> tuple[float, float]:
    """Where the trunk's middle lies along x, and half its width, in cubes."""
    columns = np.flatnonzero(body.any(axis=(0, 1)))
    if columns.size == 0:
        return 0.0, 0.0
    profile = body.sum(axis=(0, 1)).astype(float)
    centre = float((profile * np.arange(profile.size)).sum() / profile.sum())
    half = float(np.sqrt((profile * (np.arange(profile.size) - centre) ** 2).sum() / profile.sum()))
    return centre, 1.7 * half  # the half width of an even profile is 1.7 deviations


def _beside(body: Plane, middle: tuple[float, float]) -> Plane:
    """The parts of a slice that lie beside the trunk."""
    centre, half = middle
    radius = ARM_GAP_CUBES
    ball = np.hypot(*np.ogrid[-radius : radius + 1, -radius : radius + 1]) <= radius
    labels, count = ndimage.label(ndimage.binary_opening(body, ball))
    if count < 2:
        return np.zeros_like(body)
    sizes = np.bincount(labels.ravel(), minlength=count + 1) * CM2
    places = ndimage.center_of_mass(np.ones(labels.shape), labels, range(1, count + 1))
    offs = [abs(place[1] - centre) for place in places]
    main = 1 + int(np.argmax(sizes[1:] / (1 + np.array(offs))))
    arms = [
        label
        for label in range(1, count + 1)
        if label != main and offs[label - 1] > SIDE * half and sizes[label] < LARGEST_ARM_CM2
    ]
    nearest = ndimage.distance_transform_edt(labels == 0, return_indices=True)[1]
    return np.asarray(body & np.isin(labels[tuple(nearest)], arms))


def _hands(body: Plane) -> Plane:
    """Hands beside the legs: small parts further out than both legs."""
    labels, count = ndimage.label(body)
    if count < 3:
        return np.zeros_like(body)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    places = [place[1] for place in ndimage.center_of_mass(body, labels, range(1, count + 1))]
    legs = np.argsort(sizes)[-2:]
    low, high = sorted(places[leg] for leg in legs)
    hands = [
        label + 1
        for label in range(count)
        if label not in legs
        and sizes[label] < 0.5 * sizes[legs].min()
        and not low <= places[label] <= high
    ]
    return np.isin(labels, hands)
