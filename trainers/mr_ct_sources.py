"""The training sources of MR and CT by their prefix, as `trainers.mr_to_ct` describes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from trainers.dual_echo import simulate_dual_echo
from trainers.readers.chaos import read_chaos
from trainers.readers.mr_ct import MrCtSeries, read_ct, read_prepared, read_t1
from trainers.readers.sts import read_sts, read_sts_patient


def read_source(source: str, seed: int) -> Iterator[MrCtSeries]:
    """The patients of one source.

    Args:
        source: `prefix:place`, see `SOURCES`.
        seed: of what is simulated.
    """
    prefix, _, place = source.partition(":")
    if prefix not in SOURCES or not place:
        raise ValueError(f"A source is one of {', '.join(SOURCES)}, then a place; got {source!r}.")
    yield from SOURCES[prefix](place, seed)


def _sts(place: str, seed: int) -> Iterator[MrCtSeries]:
    folder, only, patients = place.partition("=")
    if only:
        yield from (read_sts_patient(Path(folder), patient) for patient in patients.split(","))
    else:
        folder, _, left_out = place.partition("!")
        yield from read_sts(Path(folder), left_out.split(","))


def _chaos(place: str, seed: int) -> Iterator[MrCtSeries]:
    yield from read_chaos(Path(place))


def _simulated(place: str, seed: int) -> Iterator[MrCtSeries]:
    """The same CT under several drawings: `simulated:CT*4`."""
    path, _, count = place.partition("*")
    ct = read_ct(Path(path))
    for index in range(int(count or 1)):
        yield simulate_dual_echo(ct, seed=1000 * seed + index)


def _prepared(place: str, seed: int) -> Iterator[MrCtSeries]:
    yield from read_prepared(Path(place))


def _ct(place: str, seed: int) -> Iterator[MrCtSeries]:
    yield read_ct(Path(place))


def _t1(place: str, seed: int) -> Iterator[MrCtSeries]:
    yield read_t1(Path(place))


SOURCES: dict[str, Callable[[str, int], Iterator[MrCtSeries]]] = {
    "sts": _sts,
    "chaos": _chaos,
    "simulated": _simulated,
    "prepared": _prepared,
    "ct": _ct,
    "t1": _t1,
}
"""Prefixes, and who reads them."""
