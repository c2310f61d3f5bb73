"""One derived object as the check sees it: read, its pixels digested, its references found."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pydicom
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.uid import SegmentationStorage

from dicom_profiles import inherited
from dicom_profiles.checks.kinds import IMAGE_CLASSES
from dicom_profiles.provenance import private_tag

OWN_TAGS = frozenset(
    {
        *inherited.SLICE_TAGS,
        *inherited.tags(
            (
                "SOPInstanceUID",
                "SourceImageSequence",
                "ReferencedSeriesSequence",
                "PixelData",
                "ImageIndex",
            )
        ),
        private_tag("source_pixels_sha256"),
        private_tag("output_pixels_sha256"),
    }
)
"""What may differ between the images of one series; all else they mostly share."""
REFERENCED_UID = re.compile(rb"\x08\x00\x55\x11UI(..)", re.DOTALL)
"""Tag (0008,1155) and its VR in little-endian bytes, then the length of its value."""


@dataclass(frozen=True, eq=False)
class DerivedObject:
    """A derived object.

    Attributes:
        path: of its file.
        ds: the data set.
        pixels_sha256: digest of Pixel Data as it stands in the file, hexadecimal.
        shared: all that rules for the series look at: objects with equal ones pass or fail them
            alike. Of `OWN_TAGS` only which are there and which are empty. None when an element
            cannot be compared as bytes.
    """

    path: Path
    ds: Dataset
    pixels_sha256: str
    shared: Hashable | None

    @classmethod
    def read(cls, path: Path) -> DerivedObject:
        """Read a whole file."""
        ds = pydicom.dcmread(path)
        shared = _shared(ds)  # first of all, while elements are bytes
        return cls(path, ds, hashlib.sha256(ds.get("PixelData") or b"").hexdigest(), shared)

    @property
    def is_image(self) -> bool:
        """Whether it is an image made by a pipeline."""
        return self.ds.get("SOPClassUID") in IMAGE_CLASSES

    @property
    def is_mask(self) -> bool:
        """Whether it is a mask of acquired pixels."""
        return bool(self.ds.get("SOPClassUID") == SegmentationStorage)

    def references(self) -> tuple[str, ...]:
        """Every Referenced SOP Instance UID at any depth."""
        return tuple(_referenced(self.ds))

    def source_images(self) -> tuple[str, ...]:
        """Every Referenced SOP Instance UID in Source Image Sequence."""
        tag = pydicom.tag.Tag("SourceImageSequence")
        return tuple(_referenced_in(self.ds.get_item(tag))) if tag in self.ds else ()


def _shared(ds: Dataset) -> Hashable | None:
    key: list[tuple[int, object]] = []
    for tag, element in ds.items():
        # the character set has been converted already, by pydicom; a sequence of open end as well
        if not isinstance(element.value, bytes | str | None):
            return None
        key.append((int(tag), bool(element.value) if tag in OWN_TAGS else element.value))
    return tuple(key)


def _referenced(ds: Dataset) -> Iterator[str]:
    for tag in list(ds.keys()):
        element = ds.get_item(tag)
        if element.VR == "SQ":
            yield from _referenced_in(element)


def _referenced_in(element: DataElement | RawDataElement) -> Iterator[str]:
    """Every Referenced SOP Instance UID in one sequence.

    Sequences come as bytes in Explicit VR Little Endian; thousands of items are searched
    there, since making data sets of them takes most of the check's time.
    """
    if isinstance(element.value, bytes):
        yield from _uids_in(element.value)
        return
    for item in element.value or []:
        if "ReferencedSOPInstanceUID" in item:
            yield str(item.ReferencedSOPInstanceUID)
        yield from _referenced(item)


@lru_cache(maxsize=64)
def _uids_in(sequence: bytes) -> tuple[str, ...]:
    """Every Referenced SOP Instance UID in an encoded sequence."""
    found = []
    for match in REFERENCED_UID.finditer(sequence):
        start, length = match.end(), int.from_bytes(match.group(1), "little")
        found.append(sequence[start : start + length].decode("ascii", "replace").rstrip("\0"))
    return tuple(found)
