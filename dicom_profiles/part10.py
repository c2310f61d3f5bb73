"""Data sets to bytes to durable files (PS3.5 section 7, PS3.10 section 7).

Slices of one series share most of their attributes. Elements are therefore encoded
one by one and joined per file, so that what is shared is encoded once.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Mapping, Set
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from pydicom.charset import convert_encodings
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element
from pydicom.tag import BaseTag
from pydicom.uid import UID, ExplicitVRLittleEndian

from dicom_profiles.equipment import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

WRITING_THREADS = 4
"""Synchronising waits for the disk, not for the processor."""
FILES_IN_FLIGHT = 16
"""Encoded files that wait for the disk: bounds the memory."""

REPEATING_VRS = frozenset({"CS", "DS", "IS", "US", "SS", "FD", "DA", "TM", "LO", "SH"})
"""Value representations of which slices of one series mostly repeat the values."""

Encoded = dict[int, bytes]
"""Encoded elements (Explicit VR Little Endian) by tag."""


class ElementEncoder:
    """Encodes elements in Explicit VR Little Endian and remembers those copied unchanged.

    Args:
        specific_character_set: of the data set the elements go into (0008,0005), or None.
    """

    def __init__(self, specific_character_set: str | list[str] | None) -> None:
        self._encodings = convert_encodings(specific_character_set)
        self._remembered: dict[tuple[int, str, bytes | str], bytes] = {}

    def encode(self, ds: Dataset) -> Encoded:
        """Every element of a data set of ours."""
        return {int(element.tag): self._small(element) for element in ds}

    def copy(self, source: Dataset, tags: Set[BaseTag]) -> Encoded:
        """Elements of a source as they came.

        Bytes are unchanged wherever the source's encoding allows.
        """
        same_encoding = source.original_encoding == (False, True)
        found: Encoded = {}
        for tag in source.keys() & tags:
            element = source.get_item(tag)
            if same_encoding and isinstance(element, RawDataElement) and element.value:
                found[int(tag)] = self._raw(element)
            else:
                found[int(tag)] = self._small(source[tag])
        return found

    def _small(self, element: DataElement) -> bytes:
        """Encode an element; those with few different values in a series are remembered."""
        if element.VR not in REPEATING_VRS:
            return self._element(element)
        key = (int(element.tag), str(element.VR), str(element.value))
        if key not in self._remembered:
            self._remembered[key] = self._element(element)
        return self._remembered[key]

    def _raw(self, element: RawDataElement) -> bytes:
        key = (int(element.tag), str(element.VR), bytes(element.value or b""))
        if key not in self._remembered:
            self._remembered[key] = self._element(element)
        return self._remembered[key]

    def _element(self, element: DataElement | RawDataElement) -> bytes:
        buffer = DicomBytesIO()
        buffer.is_little_endian, buffer.is_implicit_VR = True, False
        write_data_element(buffer, element, self._encodings)
        return buffer.getvalue()


class FileEncoder:
    """Puts File Meta Information before encoded elements (PS3.10 7.1).

    The same instance gets the same bytes, whenever it is written.

    Args:
        sop_class_uid: of all files.
        ae_title: who writes them.
    """

    def __init__(self, sop_class_uid: str, ae_title: str) -> None:
        self._encoder = ElementEncoder(None)
        meta = FileMetaDataset()
        meta.FileMetaInformationVersion = b"\x00\x01"
        meta.MediaStorageSOPClassUID = UID(sop_class_uid)
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
        meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
        meta.SourceApplicationEntityTitle = ae_title[:16]
        self._common = self._encoder.encode(meta)

    def encode(self, elements: Mapping[int, bytes], sop_instance_uid: str) -> bytes:
        """A whole Part 10 file in Explicit VR Little Endian."""
        own = Dataset()
        own.MediaStorageSOPInstanceUID = UID(sop_instance_uid)
        group = _joined({**self._common, **self._encoder.encode(own)})
        length = Dataset()
        length.add_new("FileMetaInformationGroupLength", "UL", len(group))
        head = _joined(self._encoder.encode(length))
        return b"".join((b"\0" * 128, b"DICM", head, group, _joined(elements)))


def encode_dataset(ds: Dataset, ae_title: str) -> bytes:
    """A whole Part 10 file of one data set."""
    elements = ElementEncoder(ds.get("SpecificCharacterSet")).encode(ds)
    return FileEncoder(ds.SOPClassUID, ae_title).encode(elements, ds.SOPInstanceUID)


def _joined(elements: Mapping[int, bytes]) -> bytes:
    return b"".join([elements[tag] for tag in sorted(elements)])


class FolderWriter:
    """Writes files durably: NAME.part, synced, renamed; the folder is synced at the end.

    A context manager: when it is left without an error, every file is on the disk.

    Args:
        folder: made when absent.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pending: deque[Future[None]] = deque()
        folder.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Self:
        self._pool = ThreadPoolExecutor(WRITING_THREADS, "write")
        return self

    def write(self, name: str, content: bytes) -> Path:
        """Hand over one file; returns the path that it will have."""
        while len(self._pending) >= FILES_IN_FLIGHT:
            self._pending.popleft().result()
        path = self._folder / name
        self._pending.append(self._pool.submit(_write_synced, path, content))
        return path

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(wait=True)
        if error is None:
            for future in self._pending:
                future.result()
            _sync_folder(self._folder)


def _write_synced(path: Path, content: bytes) -> None:
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
