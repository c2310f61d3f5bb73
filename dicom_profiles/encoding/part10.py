"""Data sets to bytes to durable files (PS3.5 section 7, PS3.10 section 7).

Slices of one series share most of their attributes. Elements are therefore encoded
one by one and joined per file, so that what is shared is encoded once.
"""

from __future__ import annotations

import os
import secrets
from collections import deque
from collections.abc import Callable, Hashable, Mapping, Set
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from pydicom.charset import convert_encodings
from pydicom.config import IGNORE
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag
from pydicom.uid import UID, ExplicitVRLittleEndian

from dicom_profiles.encoding.element_bytes import (
    LONG_LENGTH_VRS,
    TO_UPPER_CASE,
    element_bytes,
    element_head,
    sequence_bytes,
    text_bytes,
)
from dicom_profiles.equipment import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

WRITING_THREADS = 4
"""Synchronising waits for the disk, not for the processor."""
FILES_IN_FLIGHT = 16
"""Encoded files that wait for the disk: bounds the memory."""

REPEATING_VRS = frozenset({"CS", "DS", "IS", "US", "SS", "FD", "DA", "TM", "LO", "SH"})
"""Value representations of which slices of one series mostly repeat the values."""

Encoded = dict[int, bytes]
"""Encoded elements (Explicit VR Little Endian) by tag."""

PIXEL_DATA = 0x7FE00010
INSTANCE_UID_IN_META, GROUP_LENGTH_OF_META = 0x00020003, 0x00020000
PART_SUFFIX = ".part"
PREAMBLE = b"\0" * 128 + b"DICM"


class ElementEncoder:
    """Encodes elements in Explicit VR Little Endian and remembers those copied unchanged.

    Args:
        specific_character_set: of the data set the elements go into (0008,0005), or None.
    """

    def __init__(self, specific_character_set: str | list[str] | None) -> None:
        self._encodings = convert_encodings(specific_character_set)
        self._remembered: dict[tuple[int, str, bytes | str], bytes] = {}
        self._kept: dict[Hashable, Encoded] = {}

    def encode(self, ds: Dataset) -> Encoded:
        """Every element of a data set of ours."""
        return {int(element.tag): self._small(element) for element in ds}

    def kept(self, key: Hashable, make: Callable[[], Dataset]) -> Encoded:
        """Every element of a data set that is made and encoded once for each key."""
        if key not in self._kept:
            self._kept[key] = self.encode(make())
        return self._kept[key]

    def copy(self, source: Dataset, tags: Set[BaseTag]) -> Encoded:
        """Elements of a source as they came; code strings in upper case (PS3.5 6.2).

        Bytes are unchanged wherever the source's encoding allows.
        """
        same_encoding = source.original_encoding == (False, True)
        found: Encoded = {}
        for tag in source.keys() & tags:
            element = source.get_item(tag)
            if same_encoding and element.is_raw and element.value:
                found[int(tag)] = self._raw(element)
            elif element.VR == "SQ":
                found[int(tag)] = self._written(source[tag])  # its items may be of any kind
            else:
                found[int(tag)] = self._small(_in_upper_case(source[tag]))
        return found

    def _small(self, element: DataElement) -> bytes:
        """Encode an element; those with few different values in a series are remembered."""
        if element.VR not in REPEATING_VRS:
            return self._element(element)
        key = (int(element.tag), str(element.VR), str(element.value))
        if key not in self._remembered:
            self._remembered[key] = self._element(element)
        return self._remembered[key]

    def _raw(self, element: DataElement | RawDataElement) -> bytes:
        tag, vr, value = int(element.tag), str(element.VR), bytes(element.value or b"")
        if vr == "CS":
            value = value.upper()
        key = (tag, vr, value)
        if key not in self._remembered:
            plain = vr not in LONG_LENGTH_VRS and len(value) % 2 == 0
            self._remembered[key] = (
                element_bytes(tag, vr, value) if plain else self._written(element)
            )
        return self._remembered[key]

    def _element(self, element: DataElement) -> bytes:
        if element.VR == "UI" and isinstance(element.value, str):
            return text_bytes(int(element.tag), "UI", element.value)
        if element.VR == "SQ" and isinstance(element.value, Sequence):
            return sequence_bytes(int(element.tag), map(self._item, element.value))
        return self._written(element)

    def _written(self, element: DataElement | RawDataElement) -> bytes:
        """An element as pydicom writes it."""
        buffer = DicomBytesIO()
        buffer.is_little_endian, buffer.is_implicit_VR = True, False
        write_data_element(buffer, element, self._encodings)
        return buffer.getvalue()

    def _item(self, item: Dataset) -> bytes:
        """One item of a sequence of ours: items have no character set of their own."""
        return b"".join([self._small(element) for element in item])


def _in_upper_case(element: DataElement) -> DataElement:
    """A code string as the standard spells it; any other element as it is."""
    if element.VR != "CS" or element.is_empty:
        return element
    values = [element.value] if isinstance(element.value, str) else element.value
    upper = [str(value).translate(TO_UPPER_CASE) for value in values]
    return DataElement(element.tag, "CS", upper, validation_mode=IGNORE)  # the source's words


class FileEncoder:
    """Puts File Meta Information before encoded elements (PS3.10 7.1).

    The same instance gets the same bytes, whenever it is written.

    Args:
        sop_class_uid: of all files.
        ae_title: who writes them.
    """

    def __init__(self, sop_class_uid: str, ae_title: str) -> None:
        meta = FileMetaDataset()
        meta.FileMetaInformationVersion = b"\x00\x01"
        meta.MediaStorageSOPClassUID = UID(sop_class_uid)
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
        meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
        meta.SourceApplicationEntityTitle = ae_title[:16]
        self._common = ElementEncoder(None).encode(meta)

    def encode(
        self, elements: Mapping[int, bytes], sop_instance_uid: str, pixels: bytes | memoryview = b""
    ) -> bytes:
        """A whole Part 10 file in Explicit VR Little Endian.

        Args:
            elements: of the data set.
            sop_instance_uid: of the instance.
            pixels: value of Pixel Data (7FE0,0010), 16 bits a sample; none when empty. Given apart,
                the largest part of a file is copied once only.
        """
        own = text_bytes(INSTANCE_UID_IN_META, "UI", sop_instance_uid)
        group = _sorted({**self._common, INSTANCE_UID_IN_META: own})
        length = sum(map(len, group)).to_bytes(4, "little")
        parts = [PREAMBLE, element_bytes(GROUP_LENGTH_OF_META, "UL", length), *group]
        if not pixels:
            return b"".join([*parts, *_sorted(elements)])
        head = element_head(PIXEL_DATA, "OW", len(pixels))
        return b"".join((*parts, *_sorted(elements), head, pixels))


def encode_dataset(ds: Dataset, ae_title: str) -> bytes:
    """A whole Part 10 file of one data set."""
    elements = ElementEncoder(ds.get("SpecificCharacterSet")).encode(ds)
    return FileEncoder(ds.SOPClassUID, ae_title).encode(elements, ds.SOPInstanceUID)


def _sorted(elements: Mapping[int, bytes]) -> list[bytes]:
    """Elements in the order of their tags (PS3.5 7.1)."""
    return [elements[tag] for tag in sorted(elements)]


class FolderWriter:
    """Writes files durably: NAME.….part, synced, renamed; the folder is synced at the end.

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
        self._pending.append(self._pool.submit(write_synced, path, content))
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
            sync_folder(self._folder)


def part_of(path: Path) -> Path:
    """Where a file is written until it is whole.

    A name of its own each time: somebody who was taken for dead may still write the same file.
    """
    return path.with_name(f"{path.name}.{secrets.token_hex(4)}{PART_SUFFIX}")


def write_synced(path: Path, content: bytes) -> None:
    """Write a file so that after a crash it is there whole or not at all.

    Its name is durable once the folder is synced.
    """
    part = part_of(path)
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_durable(path: Path, content: bytes) -> None:
    """Write a single file, name and all: after a crash it is there whole or not at all."""
    write_synced(path, content)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
