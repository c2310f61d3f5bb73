"""Before, after and difference pictures of a job, one slice at a time.

Slices are decoded when they are asked for; what is kept in memory is which file shows which slice
and the slices decoded last, as far as they fit into `MEMORY_BYTES`.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
import sqlalchemy as sa
from pydicom.errors import InvalidDicomError
from sqlalchemy.engine import Connection, Engine

from dicom_profiles.checks.kinds import IMAGE_CLASSES
from dicom_profiles.errors import ProfileError
from dicom_profiles.reading import open_source
from node.database.tables import instances, jobs
from node.web.attributes import numbers, text
from node.web.displays import INVERTED, OWN, PROJECTED, Panel, fitting, offered, panels
from node.web.projection import Projection, coronal
from node.web.rendering import (
    RENDERING_VERSION,
    Window,
    difference,
    difference_png,
    fused,
    fusion_png,
    grey,
    grey_png,
    inverted_png,
)
from node.web.slice_memory import SliceMemory

MARK = "SYNTHETIC"
UIDS_IN_ONE_QUERY = 500
JOBS_REMEMBERED = 16
MEMORY_BYTES = 256_000_000
"""Of decoded slices: 250 of a CT, or source and result of the largest mammogram."""
MOST_PIXELS = 50_000_000
"""The largest mammograms have 30 million; a header that says more is not believed."""
READ = ["SourceImageSequence", "SOPClassUID", "Modality", "SeriesInstanceUID", "SeriesDescription"]
WINDOW_READ = ["WindowCenter", "WindowWidth"]
OWN_PERCENTILES = (1.0, 99.7)
"""Window of a source without a scale: nearly all of its values."""


class NoPicture(LookupError):  # noqa: N818 - the sentence says what is missing
    """The picture cannot be shown; the sentence says why."""


@dataclass(frozen=True)
class SlicePair:
    """A slice of every source, and what became of it.

    Attributes:
        source_uid: SOP Instance UID of the slice that gave the grid.
        sources: input key to file, that slice first.
        derived: the result's file, None while there is none.
    """

    source_uid: str
    sources: Mapping[str, Path]
    derived: Path | None

    @property
    def source(self) -> Path:
        """The slice that gave the grid."""
        return next(iter(self.sources.values()))

    def is_kept(self, kind: str) -> bool:
        """Whether all files are still here of which a picture of that kind is drawn."""
        files: list[Path | None] = [self.source, self.derived]
        if kind == "after":
            files = [self.derived]
        elif kind.startswith("before"):
            key = kind.removeprefix("before").removeprefix("-")
            files = [self.sources.get(key, self.source)]
        return all(path is not None and path.exists() for path in files)


@dataclass(frozen=True)
class Stack:
    """The slices of a job in the order of the patient's body.

    Attributes:
        pairs: slice by slice.
        run: of the job.
        modalities: input key to Modality, the source that gave the grid first.
        result: Modality of the result, "" while there is none.
        head_last: whether the last slice is the one nearest to the head.
        made: Series Instance UID to description and Modality of what was made, as far as its
            files are still here.
    """

    pairs: tuple[SlicePair, ...]
    run: int
    modalities: Mapping[str, str]
    result: str
    head_last: bool
    made: Mapping[str, str]

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
        return bool(self.result)

    @property
    def source_modality(self) -> str:
        """Modality of the source that gave the grid."""
        return next(iter(self.modalities.values()), "")

    @property
    def panels(self) -> tuple[Panel, ...]:
        """The pictures that there are."""
        return panels(self.modalities, self.result)

    def kept(self, number: int) -> tuple[Panel, ...]:
        """Those of a slice, counted from 1, whose files are still here."""
        pair = self.pair(number)
        return tuple(panel for panel in self.panels if pair.is_kept(panel.kind))

    @property
    def projected(self) -> bool:
        """Whether there is a picture of the whole body as well."""
        return self.result in PROJECTED

    @property
    def windows(self) -> Mapping[str, Window]:
        """The windows that make sense."""
        return offered(self.source_modality, self.result)


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
        self._slices_decoded = SliceMemory(_decode, MEMORY_BYTES)
        # One picture at a time, in a thread of its own: the largest take several times their bytes
        # while they are drawn, and every thread that ever drew one keeps a share of that.
        self._drawing = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pictures")
        # Every slice of a body takes seconds: the slices that a person leafs through do not wait.
        self._projecting = ThreadPoolExecutor(max_workers=1, thread_name_prefix="projections")
        self._projection = lru_cache(maxsize=JOBS_REMEMBERED)(_projection)

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
        for path in (*pair.sources.values(), pair.derived):
            if path is not None and path.exists():
                facts.append(f"{path.name}:{path.stat().st_mtime_ns}")
        return '"' + hashlib.sha256("|".join(facts).encode()).hexdigest()[:32] + '"'

    def draw(self, stack: Stack, number: int, kind: str, window: Window) -> bytes:
        """The PNG of one slice, counted from 1.

        Raises:
            NoPicture: no such picture or slice, a file is gone, or there is no result yet.
        """
        pair = stack.pair(number)
        return self._drawing.submit(self._draw, stack, pair, kind, window).result()

    def project(self, stack: Stack, window: Window) -> bytes:
        """The PNG of the whole body: the coronal maximum intensity projection of the result.

        Raises:
            NoPicture: the result is none to project, or its files are gone.
        """
        paths = tuple(pair.derived for pair in stack.pairs if pair.derived)
        if not stack.projected or not paths:
            raise NoPicture("This job has no picture of the whole body.")
        return self._projecting.submit(self._project, stack, paths, window).result()

    def _project(self, stack: Stack, paths: tuple[Path, ...], window: Window) -> bytes:
        with _said():
            found = self._projection(paths, paths[0].stat().st_mtime_ns)
        shown = fitting(window, stack.result)
        return inverted_png(grey(found.in_proportion(), shown, inverted=True), shown, MARK)

    def _draw(self, stack: Stack, pair: SlicePair, kind: str, window: Window) -> bytes:
        if kind == "before" or kind.startswith("before-"):
            key = kind.removeprefix("before").removeprefix("-") or next(iter(pair.sources))
            return self._draw_source(stack, pair, key, window)
        if pair.derived is None:
            raise NoPicture("This slice has no result.")
        if kind not in {panel.kind for panel in stack.panels}:
            raise NoPicture(f"This job has no picture {kind}.")
        after = self._decoded(pair.derived)
        if kind == "difference":
            return difference_png(difference(self._decoded(pair.source), after), MARK)
        shown = fitting(window, stack.result)
        if kind == "fusion":
            below = grey(self._decoded(pair.source), fitting(OWN, stack.source_modality))
            return fusion_png(fused(below, after, shown), shown, MARK)
        if stack.result in INVERTED:
            return inverted_png(grey(after, shown, inverted=True), shown, MARK)
        return grey_png(grey(after, shown if shown.width > 0 else _declared(pair.derived)), MARK)

    def _draw_source(self, stack: Stack, pair: SlicePair, key: str, window: Window) -> bytes:
        if key not in pair.sources:
            raise NoPicture(f"This job has no input {key}.")
        shown = fitting(window, stack.modalities[key])
        values = self._decoded(pair.sources[key])
        return grey_png(grey(values, self._resolved(shown, stack, key)))

    def _resolved(self, window: Window, stack: Stack, key: str) -> Window:
        """A window with numbers: of a source without a scale, that of the stack's middle slice."""
        if window.width > 0:
            return window
        middle = stack.pairs[len(stack.pairs) // 2]
        values = self._decoded(middle.sources[key])
        low, high = (float(value) for value in np.percentile(values, OWN_PERCENTILES))
        return replace(window, centre=(low + high) / 2, width=max(high - low, 1e-6))

    def _decoded(self, path: Path) -> npt.NDArray[np.float32]:
        with _said():
            return self._slices_decoded.slice_of(path)

    def _build(self, job_id: str, run: int, _changed: int) -> Stack:
        with self.database.connect() as connection:
            sources = connection.scalar(sa.select(jobs.c.sources).where(jobs.c.id == job_id))
            found = {key: self._slices(connection, uids) for key, uids in (sources or {}).items()}
        results, modality, made = _derived(self.data_dir / "jobs" / job_id / "derived")
        slices = next(iter(found.values()), [])
        pairs = tuple(
            SlicePair(
                one.uid,
                {key: of_key[place].path for key, of_key in found.items() if place < len(of_key)},
                results.get(one.uid),
            )
            for place, one in enumerate(slices)
        )
        modalities = {key: of_key[0].modality for key, of_key in found.items() if of_key}
        head_last = bool(slices) and slices[-1].height > slices[0].height
        return Stack(pairs, run, modalities, modality, head_last, made)

    def _slices(self, connection: Connection, uids: Sequence[str]) -> list[_SourceSlice]:
        """The slices of one source that are still here, in order along the normal."""
        found = []
        for start in range(0, len(uids), UIDS_IN_ONE_QUERY):
            wanted = uids[start : start + UIDS_IN_ONE_QUERY]
            columns = (instances.c.sop_instance_uid, instances.c.path, instances.c.attributes)
            query = sa.select(*columns).where(instances.c.sop_instance_uid.in_(wanted))
            for row in connection.execute(query):
                place, height = along_normal(row.attributes), _height(row.attributes)
                path, modality = self.data_dir / row.path, text(row.attributes, "Modality")
                found.append(_SourceSlice(place, row.sop_instance_uid, path, modality, height))
        return sorted(found)


@dataclass(frozen=True, order=True)
class _SourceSlice:
    """One slice of a source: place along the normal in mm, UID, file, Modality, height in mm."""

    place: float
    uid: str
    path: Path
    modality: str
    height: float


def along_normal(attributes: Mapping[str, Any]) -> float:
    """Position of a slice along its normal in mm, LPS (PS3.3 C.7.6.2.1.1); 0 without geometry."""
    position = numbers(attributes, "ImagePositionPatient")
    orientation = numbers(attributes, "ImageOrientationPatient")
    if len(position) != 3 or len(orientation) != 6:
        return 0.0
    return float(np.dot(np.cross(orientation[:3], orientation[3:]), position))


def _height(attributes: Mapping[str, Any]) -> float:
    """Position of a slice from the feet to the head in mm, LPS; 0 without geometry."""
    position = numbers(attributes, "ImagePositionPatient")
    return position[2] if len(position) == 3 else 0.0


def _declared(path: Path) -> Window:
    """The window that an object of ours names (PS3.3 C.11.2.1.2): it looks as in a viewer."""
    with _said():
        ds = pydicom.dcmread(path, specific_tags=WINDOW_READ, stop_before_pixels=True)
    return replace(OWN, centre=float(ds.WindowCenter), width=float(ds.WindowWidth))


def _projection(paths: tuple[Path, ...], _changed: int) -> Projection:
    return coronal(paths)


@contextlib.contextmanager
def _said() -> Iterator[None]:
    """Turns what goes wrong with files into a sentence.

    Raises:
        NoPicture: a file is gone, or is no image that can be shown.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise NoPicture("The images are no longer kept here; look in the PACS.") from error
    except ProfileError as error:
        raise NoPicture(f"This slice cannot be shown: {error}") from error


def _derived(folder: Path) -> tuple[dict[str, Path], str, dict[str, str]]:
    """What was made of a job.

    Returns:
        Source SOP Instance UID to the derived image that names it first; the Modality of these;
        Series Instance UID to description and Modality.
    """
    found: dict[str, Path] = {}
    made: dict[str, str] = {}
    modality = ""
    for path in sorted(folder.glob("*.dcm")):
        try:
            header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=READ)
        except (InvalidDicomError, OSError):
            continue  # just being replaced; the next look finds it
        words = f"{header.get('SeriesDescription', '')} ({header.get('Modality', '')})"
        made[str(header.get("SeriesInstanceUID", ""))] = words
        sources = header.get("SourceImageSequence")
        if sources and header.get("SOPClassUID") in IMAGE_CLASSES:
            found.setdefault(sources[0].ReferencedSOPInstanceUID, path)
            modality = modality or str(header.get("Modality", ""))
    return found, modality, made


def _decode(path: Path) -> npt.NDArray[np.float32]:
    """A slice in the unit of its modality, (rows, columns).

    Raises:
        NoPicture: it would take more memory than a picture is worth.
    """
    source = open_source([path])
    if math.prod(source.shape) > MOST_PIXELS:
        size = " x ".join(map(str, source.shape[-2:]))
        raise NoPicture(f"Pictures show up to {MOST_PIXELS:,} pixels, this image has {size}.")
    (image,) = source.slices()
    return image
