"""The training sources of MR and CT by their prefix, as `trainers.mr_to_ct` describes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from dicom_profiles.reading import read_series
from trainers.readers.chaos import read_chaos
from trainers.readers.data_set import name_of, read_side
from trainers.readers.mr_ct import MrCtSeries, read_ct, read_prepared, read_t1
from trainers.readers.sts import read_sts, read_sts_patient
from trainers.simulation.dual_echo import simulate_dual_echo
from trainers.training.errors import SourceError
from trainers.training.sources import count_of

MR_SETS = (("IP", "OOP"), ("T1",), ("T2",))
"""Roles of a gathered data set whose images lie on one grid, the first one leading."""


def read_source(source: str, seed: int) -> Iterator[MrCtSeries]:
    """The patients of one source.

    Args:
        source: `prefix:place`, see `SOURCES`.
        seed: of what is simulated.

    Raises:
        SourceError: it has another prefix.
    """
    prefix, _, place = source.partition(":")
    if prefix not in SOURCES or not place:
        raise SourceError(
            f"A source is one of {', '.join(SOURCES)}, a colon and a place; got {source!r}."
        )
    yield from SOURCES[prefix](place, seed)


def _sts(place: str, seed: int) -> Iterator[MrCtSeries]:
    folder, only, patients = place.partition("=")
    if only:
        yield from (read_sts_patient(Path(folder), patient) for patient in patients.split(","))
    else:
        folder, _, left_out = place.partition("!")
        yield from read_sts(Path(folder), [name for name in left_out.split(",") if name])


def _chaos(place: str, seed: int) -> Iterator[MrCtSeries]:
    yield from read_chaos(Path(place))


def _simulated(place: str, seed: int) -> Iterator[MrCtSeries]:
    """The same CT under several drawings: `simulated:CT*4`."""
    path, star, number = place.partition("*")
    count = count_of(number, f"simulated:{place}", f"simulated:{path}*4") if star else 1
    ct = read_ct(Path(path))
    for index in range(count):
        yield simulate_dual_echo(ct, seed=1000 * seed + index)


def _prepared(place: str, seed: int) -> Iterator[MrCtSeries]:
    yield from read_prepared(Path(place))


def _ct(place: str, seed: int) -> Iterator[MrCtSeries]:
    yield read_ct(Path(place))


def _t1(place: str, seed: int) -> Iterator[MrCtSeries]:
    yield read_t1(Path(place))


def _gathered(place: str, seed: int) -> Iterator[MrCtSeries]:
    """A side of a gathered data set: in-phase with opposed-phase, other MR, CT, each unpaired."""
    side = read_side(place)
    for study in side.data_set.studies(side.split):
        for keys in MR_SETS:
            if keys[0] in study:
                volumes = {key: read_series(side.place(study[key])) for key in keys if key in study}
                slices_mm, _, columns_mm = volumes[keys[0]].spacing_mm
                images = {key: volume.voxels for key, volume in volumes.items()}
                name = name_of(study[keys[0]])
                yield MrCtSeries(name, images, None, columns_mm, slices_mm)
        if "CT" in study:
            yield replace(read_ct(side.place(study["CT"])), patient=name_of(study["CT"]))


SOURCES: dict[str, Callable[[str, int], Iterator[MrCtSeries]]] = {
    "sts": _sts,
    "chaos": _chaos,
    "simulated": _simulated,
    "prepared": _prepared,
    "ct": _ct,
    "t1": _t1,
    "set": _gathered,
}
"""Prefixes, and who reads them."""
