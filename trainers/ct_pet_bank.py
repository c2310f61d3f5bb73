"""Pairs of CT and PET on cubes, kept on the disk, and the patches that training cuts from them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812 - the name that everybody knows
from scipy import ndimage

from pipelines.ct_to_pet.districts import LABELS
from pipelines.ct_to_pet.network import AIR
from trainers.readers.autopet import read_autopet
from trainers.readers.ct_pet import CtPetPair, CubePair, on_cubes, resampled_labels
from trainers.readers.data_set import name_of, read_side
from trainers.readers.sts_pet import read_sts_pet
from trainers.readers.suv import read_ct, read_suv
from trainers.whole_body import draw_body, simulate

ZOOM = (0.85, 1.2)
TURN_DEGREES = 20.0
HU_SHIFT = 8.0
HU_NOISE = 10.0
TEXTURE = (0.7, 1.3)
"""How far patches are changed: size along each axis, angle about z, soft tissue and texture."""

AIR_WEIGHT = 0.05
"""An error outside the body counts this much: there is nothing to be seen there."""

CUT_SHARE = 0.4
"""At most this share of a scan is taken from either end of an axis where patches are cut short."""

SPILL_CUBES = 3
"""A district's model also learns this far beyond its district, where borders are feathered."""


Place = npt.NDArray[np.intp]
"""(3,) index of a cube."""

Extent = npt.NDArray[np.intp]
"""(3, 2): first cube of the part of a scan that is shown along each axis, and the one after it."""


@dataclass(frozen=True, eq=False)
class Bank:
    """The pairs of a run and how often each is drawn.

    Attributes:
        pairs: on cubes, in half precision.
        shares: (n,) sum 1.
    """

    pairs: tuple[CubePair, ...]
    shares: npt.NDArray[np.float64]


def read_bank(sources: Sequence[str], folder: Path, leave_out: Sequence[str] = ()) -> Bank:
    """Every pair of the sources; what an earlier run made is found in the folder.

    Args:
        sources: `sts:FOLDER`, `autopet:FOLDER`, `set:DIR:SPLIT` or `simulated:COUNT`, each with
            `WEIGHT=` before it when it is to be drawn more often than its size says.
        folder: where pairs on cubes are kept.
        leave_out: patients that are not to be in it.
    """
    pairs: list[CubePair] = []
    shares: list[float] = []
    for source in sources:
        weight, _, place = source.rpartition("=")
        kind, _, where = place.partition(":")
        found = [pair for pair in KINDS[kind](where, folder) if pair.patient not in leave_out]
        pairs += found
        shares += [float(weight or len(found)) / len(found)] * len(found) if found else []
    return Bank(tuple(pairs), np.array(shares) / np.sum(shares))


def _read(pairs: Iterator[CtPetPair], folder: Path, label: str) -> Iterator[CubePair]:
    for pair in pairs:
        yield kept(folder / f"{label}_{pair.patient}.npz", pair.patient, partial(on_cubes, pair))


def _sts(where: str, folder: Path) -> Iterator[CubePair]:
    return _read(read_sts_pet(Path(where)), folder, "sts")


def _autopet(where: str, folder: Path) -> Iterator[CubePair]:
    return _read(read_autopet(Path(where)), folder, "autopet")


def _simulated(count: str, folder: Path) -> Iterator[CubePair]:
    """Bodies by number: `12`, or `100+8` for eight from number 100 on."""
    first, _, number = count.rpartition("+")
    for index in range(int(first or 0), int(first or 0) + int(number)):
        name = f"body_{index:04d}"
        yield kept(folder / f"{name}.npz", name, partial(simulated_pair, index, name))


def _gathered(where: str, folder: Path) -> Iterator[CubePair]:
    """CT and PET of every study of a side of a gathered data set (roles `CT` and `PT`)."""
    side = read_side(where)
    pairs = (
        CtPetPair(name_of(ct), read_ct(side.place(ct)), read_suv(side.place(pet)))
        for ct, pet in side.studies("CT", "PT")
    )
    return _read(pairs, folder, "set")


KINDS: dict[str, Callable[[str, Path], Iterator[CubePair]]] = {
    "sts": _sts,
    "autopet": _autopet,
    "simulated": _simulated,
    "set": _gathered,
}


def simulated_pair(index: int, name: str) -> CubePair:
    """Body number `index` on cubes, its districts the true ones."""
    body = simulate(draw_body(np.random.default_rng([7, index])), name)
    made = on_cubes(body.pair)
    districts = resampled_labels(body.districts, body.pair.ct)
    return CubePair(name, made.seen, made.suv, made.body, made.lesions,
                    np.where(made.body, districts, 0).astype(np.uint8))  # fmt: skip


def kept(path: Path, patient: str, make: Callable[[], CubePair]) -> CubePair:
    """A pair from its file, or made now and put there."""
    if not path.exists():
        made = make()
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.part.npz")
        np.savez(part, seen=made.seen.astype(np.float16), suv=made.suv.astype(np.float16),
                 body=made.body, lesions=made.lesions, districts=made.districts)  # fmt: skip
        part.rename(path)
    with np.load(path) as held:
        arrays = {name: held[name] for name in held.files}
    return CubePair(patient=patient, **arrays)


def draw_patches(
    bank: Bank, district: str, count: int, size: int, random: np.random.Generator, cut: float = 0.0
) -> dict[str, npt.NDArray[np.float32]]:
    """Patches of `size` cubes around places in a district: turned, zoomed, mirrored.

    Args:
        bank: where they come from.
        district: a key of `LABELS`, or `all`.
        count: of patches.
        size: cubes along a side.
        random: source of everything random.
        cut: how often a scan is shown as if it ended earlier, so that where it ends tells less.

    Returns:
        `seen` (count, 3, size, size, size), `suv` and `weight` (count, 1, size, size, size).
    """
    having = [_places(pair, district).size > 0 for pair in bank.pairs]
    shares = np.where(having, bank.shares, 0.0)
    drawn = random.choice(len(bank.pairs), count, p=shares / shares.sum())
    patches = [_patch(bank.pairs[index], district, size, random, cut) for index in drawn]
    seen, suv, weight = (np.stack(parts) for parts in zip(*patches, strict=True))
    return {"seen": seen, "suv": suv, "weight": weight}


def _places(pair: CubePair, district: str) -> npt.NDArray[np.intp]:
    """Flat indices of the cubes around which patches of a district are cut."""
    key = (id(pair), district)
    if key not in _PLACES:
        wanted = pair.body if district == "all" else pair.districts == LABELS[district]
        _PLACES[key] = np.flatnonzero(wanted)[:: 1 + np.count_nonzero(wanted) // 50_000]
    return _PLACES[key]


_PLACES: dict[tuple[int, str], npt.NDArray[np.intp]] = {}


def _patch(
    pair: CubePair, district: str, size: int, random: np.random.Generator, cut: float
) -> tuple[npt.NDArray[np.float32], ...]:
    places = _places(pair, district)
    place = np.array(np.unravel_index(places[random.integers(places.size)], pair.suv.shape))
    shown = _shown(place, pair.suv.shape, random) if random.random() < cut else _whole(pair)
    centre = _centred(place, shown, size) + random.integers(-size // 8, size // 8 + 1, 3)
    box = _box(pair, district, centre, round(size * 1.5), shown)
    made = _turned(torch.from_numpy(box)[None], size, random)[0].numpy()
    seen, suv, weight = made[:3], made[3:4], made[4:5]
    noise = random.standard_normal(suv.shape[1:], np.float32) * random.uniform(0, HU_NOISE)
    inside = weight[0] > AIR_WEIGHT
    seen[1] += inside * (random.normal(0, HU_SHIFT) + noise) / 100
    seen[2] *= random.uniform(*TEXTURE)
    return seen, suv, np.maximum(weight, AIR_WEIGHT * (made[5:6] > 0.5))


def _whole(pair: CubePair) -> Extent:
    return np.array([(0, count) for count in pair.suv.shape])


def _shown(place: Place, shape: tuple[int, ...], random: np.random.Generator) -> Extent:
    """A part of a scan around a place, as if less had been scanned."""
    taken = random.uniform(0, CUT_SHARE, (3, 2)) * np.array(shape)[:, None]
    low = np.minimum(taken[:, 0], place)
    high = np.maximum(np.array(shape) - taken[:, 1], place + 1)
    return np.stack([low, high], axis=1).astype(np.intp)


def _centred(place: Place, shown: Extent, size: int) -> Place:
    """The centre of a patch that holds a place and as much of the scan as it can."""
    low, high = shown[:, 0] + size // 2, shown[:, 1] - size // 2
    middle = shown.sum(axis=1) // 2
    return np.where(low < high, np.clip(place, low, high), middle)


def _box(
    pair: CubePair, district: str, centre: Place, side: int, shown: Extent
) -> npt.NDArray[np.float32]:
    """(6, side, side, side): seen, SUV, weight, whether it was scanned; air beyond the scan."""
    box = np.zeros((6, side, side, side), np.float32)
    box[:3] = np.array(AIR, np.float32)[:, None, None, None]
    low = centre - side // 2
    inner = [slice(max(m, a), min(n, a + side)) for a, (m, n) in zip(low, shown, strict=True)]
    outer = [slice(s.start - a, s.stop - a) for s, a in zip(inner, low, strict=True)]
    if any(s.stop <= s.start for s in inner):
        return box
    there, here = tuple(inner), tuple(outer)
    box[:3][(slice(None), *here)] = pair.seen[(slice(None), *there)]
    box[3][here] = pair.suv[there]
    body = pair.body[there]
    if district != "all":
        near = ndimage.binary_dilation(
            pair.districts[there] == LABELS[district], iterations=SPILL_CUBES
        )
        body = body & near
    box[4][here] = body
    box[5][here] = 1.0
    return box


def _turned(box: torch.Tensor, size: int, random: np.random.Generator) -> torch.Tensor:
    """Cut (1, C, size, size, size) out of a larger box, turned about z, zoomed and mirrored."""
    angle = np.deg2rad(random.uniform(-TURN_DEGREES, TURN_DEGREES))
    turn = np.array(
        [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    )
    zoom = random.uniform(*ZOOM, 3) * size / box.shape[-1]
    zoom[0] *= random.choice([-1.0, 1.0])  # left and right
    matrix = np.zeros((1, 3, 4), np.float32)  # rows and columns in the order x, y, z
    matrix[0, :, :3] = turn * zoom
    grid = F.affine_grid(torch.from_numpy(matrix), [1, 1, size, size, size], align_corners=False)
    return F.grid_sample(box, grid, align_corners=False, padding_mode="border")
