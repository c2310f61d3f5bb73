"""Before, after and difference pictures of a job, one slice at a time.

Slices are decoded when they are asked for; what is kept in memory is which file shows which slice
and the last few decoded slices.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
import sqlalchemy as sa
from pydicom.errors import InvalidDicomError
from sqlalchemy.engine import Engine

from dicom_profiles.errors import ProfileError
from dicom_profiles.pixels import decode
from node.database import instances, jobs
from node.web.attributes import numbers
from node.web.rendering import (
    RENDERING_VERSION,
    Window,
    difference,
    difference_png,
    grey,
    grey_png,
)

KINDS = ("before", "after", "difference")
MARK = "SYNTHETIC"
UIDS_IN_ONE_QUERY = 500
JOBS_REMEMBERED = 16
SLICES_REMEMBERED = 12


class NoPicture(LookupError):  # noqa: N818 - the sentence says what is missing
    """The picture cannot be shown; the sentence says why."""


@dataclass(frozen=True)
class SlicePair:
    """A source slice and what became of it."""

    source_uid: str
    source: Path
    derived: Path | None


@dataclass(frozen=True)
class Stack:
    """The slices of a job in the order of the patient's body."""

    pairs: tuple[SlicePair, ...]
    run: int

    def pair(self, number: int) -> SlicePair:
        """A slice, counted from 1.

        Raises:
            NoPicture: there is no such slice.
        """
        if not 1 <= number <= len(self.pairs):
            raise NoPicture(f"This job has slices 1 to {len(self.pairs)}, got {number}.")
        return self.pairs[number - 1]

    @property
    def has_result(self) -> bool:
        """Whether there is anything to compare with."""
        return any(pair.derived is not None for pair in self.pairs)


class PictureShelf:
    """Finds and draws the pictures of jobs.

    Args:
        database: with the tables `jobs` and `instances`.
        data_dir: the node's data directory.
    """

    def __init__(self, database: Engine, data_dir: Path) -> None:
        self.database = database
        self.data_dir = data_dir
        self._remembered = lru_cache(maxsize=JOBS_REMEMBERED)(self._build)
        self._decoded_file = lru_cache(maxsize=SLICES_REMEMBERED)(_decode)

    def stack(self, job_id: str) -> Stack:
        """The slices of a job.

        Raises:
            NoPicture: there is no such job.
        """
        with self.database.connect() as connection:
            run = connection.scalar(sa.select(jobs.c.run).where(jobs.c.id == job_id))
        if run is None:
            raise NoPicture(f"There is no job {job_id}.")
        folder = self.data_dir / "jobs" / job_id / "derived"
        changed = folder.stat().st_mtime_ns if folder.is_dir() else 0
        return self._remembered(job_id, int(run), changed)

    def etag(self, pair: SlicePair, kind: str, window: Window) -> str:
        """Names the content of a picture without drawing it."""
        facts = [str(RENDERING_VERSION), kind, window.name, pair.source_uid]
        for path in (pair.source, pair.derived):
            if path is not None and path.exists():
                facts.append(f"{path.name}:{path.stat().st_mtime_ns}")
        return '"' + hashlib.sha256("|".join(facts).encode()).hexdigest()[:32] + '"'

    def draw(self, pair: SlicePair, kind: str, window: Window) -> bytes:
        """The PNG of one slice.

        Raises:
            NoPicture: a file is gone, or there is no result yet.
        """
        if kind == "before":
            return grey_png(grey(self._decoded(pair.source), window))
        if pair.derived is None:
            raise NoPicture("This slice has no result.")
        after = self._decoded(pair.derived)
        if kind == "after":
            return grey_png(grey(after, window), MARK)
        return difference_png(difference(self._decoded(pair.source), after), MARK)

    def _decoded(self, path: Path) -> npt.NDArray[np.float32]:
        try:
            return self._decoded_file(path, path.stat().st_mtime_ns)
        except FileNotFoundError as error:
            raise NoPicture("The images are no longer kept here; look in the PACS.") from error
        except ProfileError as error:
            raise NoPicture(f"This slice cannot be shown: {error}") from error

    def _build(self, job_id: str, run: int, _changed: int) -> Stack:
        with self.database.connect() as connection:
            sources = connection.scalar(sa.select(jobs.c.sources).where(jobs.c.id == job_id))
            uids: list[str] = next(iter((sources or {}).values()), [])
            found: list[tuple[float, str, Path]] = []
            for start in range(0, len(uids), UIDS_IN_ONE_QUERY):
                wanted = uids[start : start + UIDS_IN_ONE_QUERY]
                columns = (instances.c.sop_instance_uid, instances.c.path, instances.c.attributes)
                query = sa.select(*columns).where(instances.c.sop_instance_uid.in_(wanted))
                for row in connection.execute(query):
                    found.append((along_normal(row.attributes), row[0], self.data_dir / row.path))
        results = _derived_by_source(self.data_dir / "jobs" / job_id / "derived")
        pairs = (SlicePair(uid, path, results.get(uid)) for _, uid, path in sorted(found))
        return Stack(tuple(pairs), run)


def along_normal(attributes: Mapping[str, Any]) -> float:
    """Position of a slice along its normal in mm, LPS (PS3.3 C.7.6.2.1.1); 0 without geometry."""
    position = numbers(attributes, "ImagePositionPatient")
    orientation = numbers(attributes, "ImageOrientationPatient")
    if len(position) != 3 or len(orientation) != 6:
        return 0.0
    return float(np.dot(np.cross(orientation[:3], orientation[3:]), position))


def _derived_by_source(folder: Path) -> dict[str, Path]:
    """Source SOP Instance UID to the derived image that names it first in its sources."""
    found: dict[str, Path] = {}
    for path in sorted(folder.glob("*.dcm")):
        try:
            header = pydicom.dcmread(
                path, stop_before_pixels=True, specific_tags=["SourceImageSequence", "Rows"]
            )
        except (InvalidDicomError, OSError):
            continue  # just being replaced; the next look finds it
        sources = header.get("SourceImageSequence")
        if sources and "Rows" in header:
            found.setdefault(sources[0].ReferencedSOPInstanceUID, path)
    return found


def _decode(path: Path, _changed: int) -> npt.NDArray[np.float32]:
    """A slice in HU, (rows, columns)."""
    return decode(path).hu
