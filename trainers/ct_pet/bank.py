"""Pairs of CT and PET on cubes, kept on the disk; see `trainers.ct_pet.patches` for patches."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trainers.readers.autopet import read_autopet
from trainers.readers.ct_pet import CtPetPair, CubePair, on_cubes, resampled_labels
from trainers.readers.gathered_ct_pet import read_gathered_ct_pet
from trainers.readers.sts_pet import read_sts_pet
from trainers.simulation.whole_body import draw_body, simulate
from trainers.training.errors import SourceError
from trainers.training.sources import count_of, weight_of


@dataclass(frozen=True, eq=False)
class Bank:
    """The pairs of a run and how often each is drawn.

    Attributes:
        pairs: on cubes, in half precision.
        shares: (n,) sum 1.
        left_out: pairs of the patients who are not to be drawn.
    """

    pairs: tuple[CubePair, ...]
    shares: npt.NDArray[np.float64]
    left_out: tuple[CubePair, ...] = ()


def read_bank(sources: Sequence[str], folder: Path, leave_out: Sequence[str] = ()) -> Bank:
    """Every pair of the sources; what an earlier run made is found in the folder.

    Args:
        sources: `sts:FOLDER`, `autopet:FOLDER`, `set:DIR:SPLIT` or `simulated:COUNT`, each with
            `WEIGHT=` before it when it is to be drawn more often than its size says.
        folder: where pairs on cubes are kept.
        leave_out: patients that are not to be drawn.

    Raises:
        SourceError: a source is of another kind, or its weight or count is no number above 0.
    """
    pairs: list[CubePair] = []
    shares: list[float] = []
    left_out: list[CubePair] = []
    for source in sources:
        before, _, where = source.partition(":")
        weight, _, kind = before.rpartition("=")
        if kind not in KINDS or not where:
            raise SourceError(
                f"A source is one of {', '.join(KINDS)}, a colon and a place; got {source!r}."
            )
        found: list[CubePair] = []
        for pair in KINDS[kind](where, folder):
            (left_out if pair.patient in leave_out else found).append(pair)
        share = weight_of(weight, source, "10=simulated:16") if weight else float(len(found))
        pairs += found
        shares += [share / len(found)] * len(found) if found else []
    return Bank(tuple(pairs), np.array(shares) / np.sum(shares), tuple(left_out))


def _read(pairs: Iterator[CtPetPair], folder: Path, label: str) -> Iterator[CubePair]:
    for pair in pairs:
        yield kept(folder / f"{label}_{pair.patient}.npz", pair.patient, partial(on_cubes, pair))


def _sts(where: str, folder: Path) -> Iterator[CubePair]:
    return _read(read_sts_pet(Path(where)), folder, "sts")


def _autopet(where: str, folder: Path) -> Iterator[CubePair]:
    return _read(read_autopet(Path(where)), folder, "autopet")


def _simulated(count: str, folder: Path) -> Iterator[CubePair]:
    """Bodies by number: `12`, or `100+8` for eight from number 100 on."""
    first, plus, number = count.rpartition("+")
    source, example = f"simulated:{count}", "simulated:16 or simulated:100+8"
    begin = count_of(first, source, example, least=0) if plus else 0
    for index in range(begin, begin + count_of(number, source, example)):
        name = f"body_{index:04d}"
        yield kept(folder / f"{name}.npz", name, partial(simulated_pair, index, name))


def _gathered(where: str, folder: Path) -> Iterator[CubePair]:
    return _read((pair for _, pair in read_gathered_ct_pet(where)), folder, "set")


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
