"""The patches that training cuts from pairs of CT and PET: turned, zoomed, mirrored, cut short.

Where a pair is smaller than a patch, the patch is only as long as it has to be, as in serving:
nothing is computed of air.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812 - the name that everybody knows
from scipy import ndimage

from pipelines.ct_to_pet.body import Mask
from pipelines.ct_to_pet.districts import LABELS
from pipelines.ct_to_pet.network import AIR
from pipelines.ct_to_pet.patches import with_air
from trainers.ct_pet.bank import Bank
from trainers.readers.ct_pet import CubePair

ZOOM = (0.85, 1.2)
TURN_DEGREES = 20.0
HU_SHIFT = 8.0
HU_NOISE = 10.0
HU_CONTRAST = (0.93, 1.07)
TEXTURE = (0.7, 1.3)
"""How far patches are changed: size along each axis, angle about z, soft tissue and texture."""

AIR_WEIGHT = 0.05
"""An error outside the body counts this much: there is nothing to be seen there."""

CUT_SHARE = 0.4
"""At most this share of a scan is taken from either end of an axis where patches are cut short."""

SPILL_CUBES = 3
"""A district's model also learns this far beyond its district, where borders are feathered."""

REACH = 0.75
"""What is cut out before it is turned and zoomed: so many sides of the patch to either end."""

Array = npt.NDArray[np.float32]

Place = npt.NDArray[np.intp]
"""(3,) index of a cube, or cubes along z, y, x."""

Extent = npt.NDArray[np.intp]
"""(3, 2): first cube of the part of a scan that is shown along each axis, and the one after it."""


@dataclass(frozen=True)
class Cutting:
    """How patches are cut.

    Attributes:
        district: a key of `LABELS`, several joined by `+`, or `all`.
        size: cubes along a side, at most.
        granule: along an axis where less is shown, a patch is as long as the next multiple of
            this; 0 where the network takes patches of one size only.
        cut: how often a scan is shown as if it ended earlier, so that where it ends tells less.
    """

    district: str
    size: int
    granule: int = 0
    cut: float = 0.0

    @property
    def labels(self) -> list[int] | None:
        """Labels of the districts; None stands for the whole body."""
        return labels_of(self.district)

    def window(self, shown: Extent) -> Place:
        """Cubes of a patch along each axis of what is shown."""
        step = self.granule or self.size
        return np.minimum(self.size, -(-_counts(shown) // step) * step)


def labels_of(district: str) -> list[int] | None:
    """Labels of districts joined by `+`; None for `all`, the whole body.

    Raises:
        KeyError: a district that there is not.
    """
    return None if district == "all" else [LABELS[name] for name in district.split("+")]


def draw_patches(
    bank: Bank, cutting: Cutting, count: int, random: np.random.Generator
) -> dict[str, Array]:
    """Patches around places in a district, of pairs whose patches are of one size.

    Args:
        bank: where they come from.
        cutting: how they are cut.
        count: of patches.
        random: source of everything random.

    Returns:
        `seen` (count, 3, z, y, x); `suv`, `weight` (how much an error counts), `lesion` (1 in an
        outlined lesion) and `outlined` (weight where lesions are known), each (count, 1, z, y, x).
    """
    patches = [_patch(pair, cutting, random) for pair in _drawn(bank, cutting, count, random)]
    window = np.max([suv.shape[1:] for _, suv, _, _, _ in patches], axis=0)
    names = ("seen", "suv", "weight", "lesion", "outlined")
    return {
        name: np.stack([_padded(patch[part], window, name) for patch in patches])
        for part, name in enumerate(names)
    }


def _drawn(bank: Bank, cutting: Cutting, count: int, random: np.random.Generator) -> list[CubePair]:
    """Pairs, each as often as its share says; those after the first are alike in size."""
    having = [_places(pair, cutting.district).size > 0 for pair in bank.pairs]
    shares = np.where(having, bank.shares, 0.0)
    windows = np.array([cutting.window(_whole(pair)) for pair in bank.pairs])
    first = random.choice(len(windows), p=shares / shares.sum())
    shares = shares * (windows == windows[first]).all(axis=1)
    others = random.choice(len(windows), count - 1, p=shares / shares.sum())
    return [bank.pairs[index] for index in (first, *others)]


def _padded(values: Array, window: Place, name: str) -> Array:
    """A patch as long as the longest one that is drawn with it: air beyond its end."""
    if name == "seen":
        return with_air(values, window.tolist())
    return np.pad(values, [(0, 0), *((0, int(n)) for n in window - values.shape[1:])])


def district_mask(pair: CubePair, district: str) -> Mask:
    """Cubes of districts joined by `+`, of the whole body for `all`."""
    labels = labels_of(district)
    return pair.body if labels is None else np.isin(pair.districts, labels)


def _places(pair: CubePair, district: str) -> npt.NDArray[np.intp]:
    """Flat indices of the cubes around which patches of a district are cut."""
    key = (id(pair), district)
    if key not in _PLACES:
        wanted = district_mask(pair, district)
        _PLACES[key] = np.flatnonzero(wanted)[:: 1 + np.count_nonzero(wanted) // 50_000]
    return _PLACES[key]


_PLACES: dict[tuple[int, str], npt.NDArray[np.intp]] = {}


def _patch(pair: CubePair, cutting: Cutting, random: np.random.Generator) -> tuple[Array, ...]:
    places = _places(pair, cutting.district)
    place = np.array(np.unravel_index(places[random.integers(places.size)], pair.suv.shape))
    short = random.random() < cutting.cut
    shown = _shown(place, pair.suv.shape, random) if short else _whole(pair)
    window = cutting.window(shown)
    room = np.where(window < _counts(shown), window // 8, (window - _counts(shown)) // 2 + 1)
    centre = _centred(place, shown, window) + random.integers(-room, room + 1)
    box, begins = _box(pair, cutting, centre, window, shown)
    made = _turned(box, centre - begins, window, random)
    seen = made[:3] + np.array(AIR, np.float32)[:, None, None, None]
    suv, weight, scanned, lesion = (made[n : n + 1] for n in range(3, 7))
    noise = random.standard_normal(suv.shape[1:], np.float32) * random.uniform(0, HU_NOISE)
    inside = weight[0] > AIR_WEIGHT
    changed = seen[1] * random.uniform(*HU_CONTRAST) + (random.normal(0, HU_SHIFT) + noise) / 100
    seen[1] = np.where(inside, changed, seen[1])
    seen[2] *= random.uniform(*TEXTURE)
    outlined = weight * float(pair.lesions.any())
    return seen, suv, np.maximum(weight, AIR_WEIGHT * (scanned > 0.5)), lesion, outlined


def _counts(shown: Extent) -> Place:
    return shown[:, 1] - shown[:, 0]


def _whole(pair: CubePair) -> Extent:
    return np.array([(0, count) for count in pair.suv.shape])


def _shown(place: Place, shape: tuple[int, ...], random: np.random.Generator) -> Extent:
    """A part of a scan around a place, as if less had been scanned."""
    taken = random.uniform(0, CUT_SHARE, (3, 2)) * np.array(shape)[:, None]
    low = np.minimum(taken[:, 0], place)
    high = np.maximum(np.array(shape) - taken[:, 1], place + 1)
    return np.stack([low, high], axis=1).astype(np.intp)


def _centred(place: Place, shown: Extent, window: Place) -> Place:
    """The centre of a patch that holds a place and as much of the scan as it can."""
    low, high = shown[:, 0] + window // 2, shown[:, 1] - window // 2
    middle = shown.sum(axis=1) // 2
    return np.where(low < high, np.clip(place, low, high), middle)


def _box(
    pair: CubePair, cutting: Cutting, centre: Place, window: Place, shown: Extent
) -> tuple[Array, Place]:
    """What of a pair a patch can show, and the index of its first cube.

    Returns:
        (7, z, y, x): seen above air, SUV, weight, whether it was scanned, lesion; 0 beyond it.
    """
    reach = np.ceil(window * REACH).astype(np.intp)
    low = np.clip(centre - reach, shown[:, 0], shown[:, 1] - 1)
    high = np.clip(centre + reach, low + 1, shown[:, 1])
    z, y, x = (slice(a, b) for a, b in zip(low, high, strict=True))
    body = pair.body[z, y, x]
    box = np.ones((7, *body.shape), np.float32)
    box[:3] = pair.seen[:, z, y, x] - np.array(AIR, np.float32)[:, None, None, None]
    box[3] = pair.suv[z, y, x]
    labels = cutting.labels
    box[4] = body if labels is None else body & _near(pair.districts[z, y, x], labels)
    box[6] = pair.lesions[z, y, x]
    return box, low


def _near(districts: npt.NDArray[np.uint8], labels: Sequence[int]) -> npt.NDArray[np.bool_]:
    """Districts and what lies just beyond them."""
    inside = np.isin(districts, labels)
    return np.asarray(ndimage.binary_dilation(inside, iterations=SPILL_CUBES))


def _turned(box: Array, centre: Place, window: Place, random: np.random.Generator) -> Array:
    """Cut (C, z, y, x) of a window's size out of a box, turned about z, zoomed and mirrored.

    Args:
        box: (C, z, y, x), 0 beyond it.
        centre: of the window, in the box.
        window: cubes of what is cut.
        random: source of everything random.
    """
    angle = np.deg2rad(random.uniform(-TURN_DEGREES, TURN_DEGREES))
    turn = np.array(
        [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    )
    zoom = random.uniform(*ZOOM, 3)
    zoom[0] *= random.choice([-1.0, 1.0])  # left and right
    counts, sides = np.array(box.shape[:0:-1]), window[::-1]  # in the order x, y, z
    matrix = np.empty((1, 3, 4), np.float32)  # from the window's -1 to 1 to those of the box
    matrix[0, :, :3] = turn * zoom * sides / counts[:, np.newaxis]
    matrix[0, :, 3] = (2 * centre[::-1] + 1) / counts - 1
    shape = [1, 1, *(int(side) for side in window)]
    grid = F.affine_grid(torch.from_numpy(matrix), shape, align_corners=False)
    cut = F.grid_sample(torch.from_numpy(box)[None], grid, align_corners=False)
    return np.asarray(cut[0].numpy())
