"""Series of a gathered data set as a source: `set:FOLDER:SPLIT`.

What such a folder holds: `dicom_profiles.deidentification.data_set`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dicom_profiles.deidentification.data_set import (
    DataSet,
    DataSetError,
    KeptSeries,
    changed_series,
    read_data_set,
)
from dicom_profiles.deidentification.pseudonyms import SPLITS
from trainers.readers.dicom import read_dicom
from trainers.readers.series import TrainingSeries

PREFIX = "set:"


@dataclass(frozen=True)
class Side:
    """One side of the split of a data set.

    Attributes:
        folder: of the data set.
        data_set: what it holds.
        split: train, validation or test.
    """

    folder: Path
    data_set: DataSet
    split: str

    def series(self, role: str) -> list[KeptSeries]:
        """Series with a role, one patient's after another's."""
        return sorted(self.data_set.of(self.split, role), key=lambda one: one.folder)

    def studies(self, *roles: str) -> list[tuple[KeptSeries, ...]]:
        """One series for each role, of every study that has them all: pairs for instance."""
        return [
            tuple(study[role] for role in roles)
            for study in self.data_set.studies(self.split)
            if study.keys() >= set(roles)
        ]

    def place(self, series: KeptSeries) -> Path:
        """The folder of a series' files."""
        return self.folder / series.folder


def side_of(source: str) -> Side:
    """Understand `set:FOLDER:SPLIT` (or `FOLDER:SPLIT`); the images are not looked at.

    Raises:
        DataSetError: there is no such data set or side, or its list is not whole.
    """
    folder, _, split = source.removeprefix(PREFIX).rpartition(":")
    sides = [side for side, _ in SPLITS]
    if split not in sides:
        raise DataSetError(
            f"A side of a data set is one of {', '.join(sides)}, as in set:DIR:train; "
            f"got {source!r}."
        )
    return Side(Path(folder), read_data_set(Path(folder)), split)


def read_side(source: str) -> Side:
    """The same, to learn from: its images are those that were gathered.

    Raises:
        DataSetError: as in `side_of`; or files were changed, added or taken away since.
    """
    side = side_of(source)
    every = side.data_set.of(side.split)
    changed = changed_series(every, side.folder)
    if changed:
        raise DataSetError(
            f"{len(changed)} of {len(every)} series on the side {side.split} of {side.folder} are "
            f"not as they were gathered, the first: {changed[0]}; gather into this folder again, "
            "or into another."
        )
    return side


def sources_of(folder: Path) -> tuple[list[str], list[str]]:
    """Sources of a data set to train on and to validate on; a side that is empty is none."""
    data_set = read_data_set(folder)
    train, validate = (
        [f"{PREFIX}{folder}:{split}"] if data_set.of(split) else []
        for split in ("train", "validation")
    )
    return train, validate


def add_data_option(parser: argparse.ArgumentParser) -> None:
    """Let a trainer take `--data DIR` (more than once) beside its sources."""
    parser.add_argument(
        "--data",
        action="append",
        default=[],
        type=Path,
        metavar="DIR",
        help="a gathered data set: its sides `train` and `validation` join the sources",
    )


def with_data(
    train: Sequence[str], validate: Sequence[str], folders: Sequence[Path]
) -> tuple[list[str], list[str]]:
    """Sources to train on and to validate on, with those of data sets.

    Raises:
        DataSetError: a data set cannot be read, or none of them has anybody to train on.
    """
    both = [list(train), list(validate)]
    for folder in folders:
        for side, sources in zip(both, sources_of(folder), strict=True):
            side += sources
    if folders and not both[0]:
        raise DataSetError(
            f"Patients on the side train are wanted, {', '.join(map(str, folders))} has none; "
            "gather more patients: a digest of each decides which side is his."
        )
    return both[0], both[1]


def read_ct_side(source: str) -> list[TrainingSeries]:
    """The CT series of one side, named so that no two are called the same."""
    side = read_side(source)
    return [
        replace(read_dicom(side.place(one), one.patient), name=name_of(one))
        for one in side.series("CT")
    ]


def name_of(series: KeptSeries) -> str:
    """A short name for banks and reports: pseudonym, and the end of the salted UID."""
    return f"{series.patient}-{series.series_instance_uid[-8:]}"
