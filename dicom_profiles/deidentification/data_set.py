"""A folder of de-identified images to train on, and `dataset.json`, which says what is in it.

    DATA_SET/dataset.json
    DATA_SET/<patient>/<study>/<series>/<role>/<instance>.dcm      pseudonyms and salted UIDs

A series has a role, the key of the pipeline's input (`CT`, `IP`) or the name of what is to be
learnt (`PT`), and its patient's side of the split. Everything is found by `dataset.json`; a series
that is not in it is not part of the set.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from dicom_profiles.errors import ProfileError

FORMAT = "virtual-scanner-data-set/1"
FILE_NAME = "dataset.json"


class DataSetError(ProfileError):
    """A data set is not what its `dataset.json` says."""


@dataclass(frozen=True)
class KeptSeries:
    """One series, or one stack of a series, of a data set.

    Attributes:
        patient: pseudonym.
        split: train, validation or test.
        study_instance_uid, series_instance_uid: salted.
        role: what it is for the pipeline.
        modality: Modality (0008,0060).
        instances: how many.
        sha256: over the digests of its files, in order of their names.
        folder: below the data set.
    """

    patient: str
    split: str
    study_instance_uid: str
    series_instance_uid: str
    role: str
    modality: str
    instances: int
    sha256: str
    folder: str


@dataclass(frozen=True)
class DataSet:
    """What `dataset.json` holds.

    Attributes:
        pipeline: for which it was gathered.
        series: sorted by folder.
        left_out: a sentence and how many series it kept out, the last time.
        deidentification: what was done to every image.
    """

    pipeline: str
    series: tuple[KeptSeries, ...]
    left_out: Mapping[str, int]
    deidentification: str

    @property
    def sha256(self) -> str:
        """Digest of the whole set: of everything that decides what a training sees."""
        rows = [f"{s.folder} {s.role} {s.split} {s.sha256}" for s in self.series]
        return hashlib.sha256("\n".join(sorted(rows)).encode()).hexdigest()

    def counts(self) -> dict[str, dict[str, int]]:
        """Patients, series and instances on each side of the split."""
        sides: dict[str, dict[str, int]] = {}
        for split in sorted({series.split for series in self.series}):
            own = [series for series in self.series if series.split == split]
            sides[split] = {
                "patients": len({series.patient for series in own}),
                "series": len(own),
                "instances": sum(series.instances for series in own),
            }
        return sides

    def of(self, split: str, role: str | None = None) -> tuple[KeptSeries, ...]:
        """The series on one side of the split, of one role where it is named."""
        return tuple(s for s in self.series if s.split == split and role in (None, s.role))

    def studies(self, split: str) -> list[dict[str, KeptSeries]]:
        """Role to series for every study on one side; of several with a role, the largest."""
        found: dict[str, dict[str, KeptSeries]] = {}
        for series in sorted(self.of(split), key=lambda one: (one.instances, one.folder)):
            found.setdefault(series.study_instance_uid, {})[series.role] = series
        return [found[uid] for uid in sorted(found)]

    def joined(self, series: Iterable[KeptSeries], left_out: Mapping[str, int]) -> DataSet:
        """The set grown by further series; one that comes again replaces itself."""
        by_folder = {one.folder: one for one in (*self.series, *series)}
        rows = tuple(by_folder[folder] for folder in sorted(by_folder))
        return replace(self, series=rows, left_out=dict(left_out))

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values: digests, pseudonyms and counts, nobody's name."""
        return {
            "format": FORMAT,
            "pipeline": self.pipeline,
            "sha256": self.sha256,
            "counts": self.counts(),
            "deidentification": self.deidentification,
            "left_out": dict(self.left_out),
            "series": [asdict(series) for series in self.series],
        }


def write_data_set(data_set: DataSet, folder: Path) -> None:
    """Write `dataset.json`, aside first."""
    part = folder / f"{FILE_NAME}.part"
    with part.open("w", encoding="utf-8") as file:
        json.dump(data_set.to_json(), file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    part.replace(folder / FILE_NAME)


def read_data_set(folder: Path) -> DataSet:
    """Read `dataset.json`.

    Raises:
        DataSetError: there is none, it is of another format, a patient is on two sides of the
            split, or the digest is another.
    """
    path = folder / FILE_NAME
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        rows = tuple(KeptSeries(**row) for row in found["series"])
        data_set = DataSet(found["pipeline"], rows, found["left_out"], found["deidentification"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataSetError(
            f"A data set with a {FILE_NAME} is wanted in {folder}, it cannot be read "
            f"({type(error).__name__}); `vscanner train NAME --from PEER` makes one."
        ) from error
    if found.get("format") != FORMAT:
        raise DataSetError(
            f"A {FILE_NAME} of the format {FORMAT} is wanted, got {found.get('format')!r}; "
            "gather the data set anew."
        )
    sides: dict[str, set[str]] = {}
    for series in rows:
        sides.setdefault(series.patient, set()).add(series.split)
    if any(len(split) > 1 for split in sides.values()):
        raise DataSetError("A patient is on two sides of the split; gather the data set anew.")
    if found.get("sha256") != data_set.sha256:
        raise DataSetError(f"{FILE_NAME} was changed by hand: its digest is another.")
    return data_set


def digest_of(paths: Sequence[Path]) -> str:
    """Digest of a series: over the digests of its files, in order of their names."""
    digests = [
        hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(paths, key=lambda p: p.name)
    ]
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def changed_series(series: Iterable[KeptSeries], folder: Path) -> list[str]:
    """Which of these series of a data set have other files than were gathered: their folders."""
    return [
        one.folder
        for one in series
        if digest_of(list((folder / one.folder).glob("*.dcm"))) != one.sha256
    ]
