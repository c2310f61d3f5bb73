"""Files to headers, headers to series, series to volumes.

Files that are not DICOM are counted, files that are but cannot be read are
reported with a sentence; neither stops the others.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.uid import MediaStorageDirectoryStorage

from dicom_profiles.errors import SeriesError, UnreadableInstance
from dicom_profiles.sources.character_sets import spell_out
from dicom_profiles.sources.readable import leave_out_unreadable
from dicom_profiles.sources.series import SourceInstance, SourceSeries
from dicom_profiles.sources.source import Source, source_of
from dicom_profiles.volume import Volume

log = logging.getLogger(__name__)

PREAMBLE_BYTES = 128
LARGE_VALUE_BYTES = 4096
"""Larger values (vendors' private blobs) stay in the file until somebody asks for them."""
REQUIRED = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
"""Without these an instance has no place in any study (PS3.3 C.12.1, C.7.2.1, C.7.3.1: type 1)."""

DAMAGED = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    NotImplementedError,
    BytesLengthException,
)
"""What pydicom raises for files that are damaged."""

Sources = Path | str | Iterable[Path | str]
"""A folder, a file, or several of either."""


@dataclass(frozen=True)
class FolderContents:
    """What a folder holds.

    Attributes:
        instances: readable instances, in order of their path.
        ignored: how many files are not DICOM instances.
        unreadable: (file, sentence) of files that are DICOM but cannot be read.
    """

    instances: tuple[SourceInstance, ...]
    ignored: int
    unreadable: tuple[tuple[Path, str], ...]


def read_header(path: Path, required: tuple[str, ...] = REQUIRED) -> Dataset:
    """Read a Part 10 file without its pixel data.

    Args:
        path: the file.
        required: keywords that must have a value; none for research files without UIDs.

    Raises:
        UnreadableInstance: not DICOM, damaged, or without a required attribute.
    """
    # Deviations that we do not use are not ours to report, and pydicom's warnings
    # quote values, which may be a patient's.
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    try:
        header = pydicom.dcmread(path, stop_before_pixels=True, defer_size=LARGE_VALUE_BYTES)
        leave_out_unreadable(header)
        spell_out(header)
        missing = [keyword for keyword in required if not header.get(keyword)]
    except InvalidDicomError as e:
        raise UnreadableInstance(_no_part_10(path)) from e
    except DAMAGED as e:
        raise UnreadableInstance(
            f"{path.name} should be a readable DICOM file, but reading failed "
            f"({type(e).__name__}); send the instance again."
        ) from e
    if not header.file_meta.get("TransferSyntaxUID"):
        missing.append("TransferSyntaxUID")
    if missing:
        raise UnreadableInstance(
            f"{path.name} should carry {', '.join(missing)}, which it lacks; send it again."
        )
    return header


def read_instances(sources: Sources, required: tuple[str, ...] = REQUIRED) -> FolderContents:
    """Read every header below a folder (or of the given files), one after the other.

    Args:
        sources: a folder, a file, or several of either.
        required: as in `read_header`.
    """
    instances: list[SourceInstance] = []
    unreadable: list[tuple[Path, str]] = []
    ignored = 0
    for path in _files(sources):
        if not looks_like_dicom(path):
            ignored += 1
            continue
        try:
            instances.append(SourceInstance(path, read_header(path, required)))
        except UnreadableInstance as e:
            unreadable.append((path, str(e)))
    kept = [i for i in instances if i.header.get("SOPClassUID") != MediaStorageDirectoryStorage]
    contents = FolderContents(tuple(kept), ignored + len(instances) - len(kept), tuple(unreadable))
    _log(contents)
    return contents


def group_series(instances: Iterable[SourceInstance]) -> dict[str, list[SourceInstance]]:
    """Instances by Series Instance UID, in the order in which the series first appear."""
    groups: dict[str, list[SourceInstance]] = {}
    for instance in instances:
        uid = str(instance.header.get("SeriesInstanceUID", ""))
        groups.setdefault(uid, []).append(instance)
    return groups


def open_series(paths: Iterable[Path | str]) -> SourceSeries:
    """The stack that these files make; the pixels are decoded later, slice by slice.

    Raises:
        UnreadableInstance: one of the files cannot be read.
        SeriesError, GeometryError: the files are not one regular stack.
    """
    return SourceSeries.of(_instances(paths, {}))


def open_source(
    paths: Iterable[Path | str], known: Mapping[Path, SourceInstance] | None = None
) -> Source:
    """The stack, or the single projection, that these files make; as `open_series`.

    Args:
        paths: of the files.
        known: files whose headers have been read already.
    """
    return source_of(_instances(paths, known or {}))


def _instances(
    paths: Iterable[Path | str], known: Mapping[Path, SourceInstance]
) -> list[SourceInstance]:
    return [known.get(path) or SourceInstance(path, read_header(path)) for path in map(Path, paths)]


def read_series(sources: Sources) -> Volume:
    """The one image series of a folder (or of the given files) as a volume.

    For research: files without UIDs are taken for one series.

    Raises:
        SeriesError: no series, or more than one; or a file that cannot be read.
        GeometryError: the slices do not make a grid.
    """
    contents = read_instances(sources, required=())
    if contents.unreadable:
        raise SeriesError(
            f"{len(contents.unreadable)} file(s) cannot be read, the first because: "
            f"{contents.unreadable[0][1]}"
        )
    groups = group_series(contents.instances)
    if len(groups) != 1:
        raise SeriesError(
            f"One series is wanted, got {len(groups)} in {len(contents.instances)} instances "
            f"({contents.ignored} files are not DICOM); name the files of one series."
        )
    return source_of(next(iter(groups.values()))).load()


def looks_like_dicom(path: Path) -> bool:
    """Whether the first bytes are those of a DICOM file, with or without a preamble."""
    try:
        with path.open("rb") as file:
            head = file.read(PREAMBLE_BYTES + 4)
    except OSError:
        return True  # so that the reader reports it instead of counting it as foreign
    return head[PREAMBLE_BYTES:] == b"DICM" or _starts_with_an_element(head)


def _starts_with_an_element(head: bytes) -> bool:
    """A data set without preamble begins with a low element of group 0002 or 0008."""
    return head[:2] in (b"\x02\x00", b"\x08\x00") and len(head) > 8 and head[3:4] == b"\x00"


def _log(contents: FolderContents) -> None:
    log.info(
        "Read a folder.",
        extra={
            "action": "folder_read",
            "instances": len(contents.instances),
            "ignored": contents.ignored,
            "unreadable": len(contents.unreadable),
        },
    )


def _no_part_10(path: Path) -> str:
    return (
        f"{path.name} should begin with the DICOM preamble and File Meta Information (PS3.10 7.1), "
        "which it lacks; send it through a DICOM node instead of copying a bare data set."
    )


def _files(sources: Sources) -> list[Path]:
    roots = [sources] if isinstance(sources, (str, Path)) else list(sources)
    found: list[Path] = []
    for root in map(Path, roots):
        if root.is_dir():
            found.extend(sorted(path for path in root.rglob("*") if path.is_file()))
        else:
            found.append(root)
    return found
