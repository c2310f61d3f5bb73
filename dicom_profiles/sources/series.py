"""SourceSeries: one stack of slices as it was received, sorted and proven to be a grid."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from dicom_profiles.ahead import map_ahead
from dicom_profiles.errors import SeriesError
from dicom_profiles.sources.geometry import Plane, stack_planes
from dicom_profiles.sources.pixels import DecodedSlice, SliceFacts, decode
from dicom_profiles.storage import MULTI_FRAME_CLASSES
from dicom_profiles.volume import Volume

ONE_VALUE = (
    "SeriesInstanceUID",
    "StudyInstanceUID",
    "PatientID",
    "FrameOfReferenceUID",
    "Modality",
    "Rows",
    "Columns",
)
"""Attributes in which all instances of a stack agree."""


@dataclass(frozen=True, eq=False)
class SourceInstance:
    """One instance as received.

    Attributes:
        path: the Part 10 file.
        header: the data set without pixel data, with file meta.
    """

    path: Path
    header: Dataset


@dataclass(frozen=True, eq=False)
class SourceSeries:
    """One stack of slices. Make it with `SourceSeries.of`, which sorts and proves.

    Attributes:
        instances: sorted along the normal of the slices.
        affine: (4, 4) float64, maps (slice, row, column, 1) to LPS in mm.
    """

    instances: tuple[SourceInstance, ...]
    affine: npt.NDArray[np.float64]
    _facts: dict[int, SliceFacts] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, instances: Iterable[SourceInstance]) -> Self:
        """Sort instances along the normal; refuse what is not one regular grid.

        Raises:
            SeriesError: not one series, mixed sizes, multi-frame, missing rescale.
            GeometryError: positions do not make a grid.
        """
        found = tuple(instances)
        _refuse_unfit(found)
        stack = stack_planes([_plane(instance.header) for instance in found])
        return cls(tuple(found[i] for i in stack.order), stack.affine)

    def __len__(self) -> int:
        return len(self.instances)

    @property
    def headers(self) -> tuple[Dataset, ...]:
        """Data sets without pixel data, in slice order."""
        return tuple(instance.header for instance in self.instances)

    @property
    def series_instance_uid(self) -> str:
        """Series Instance UID (0020,000E)."""
        return str(self.instances[0].header.get("SeriesInstanceUID", ""))

    @property
    def study_instance_uid(self) -> str:
        """Study Instance UID (0020,000D)."""
        return str(self.instances[0].header.get("StudyInstanceUID", ""))

    @property
    def frame_of_reference(self) -> str:
        """Frame of Reference UID (0020,0052), "" when the series has none."""
        return str(self.instances[0].header.get("FrameOfReferenceUID", ""))

    @cached_property
    def sop_instance_uids(self) -> tuple[str, ...]:
        """SOP Instance UIDs in slice order."""
        return tuple(str(instance.header.get("SOPInstanceUID", "")) for instance in self.instances)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows, columns."""
        header = self.instances[0].header
        return len(self.instances), int(header.Rows), int(header.Columns)

    @property
    def unit(self) -> str:
        """Unit of the rescaled values: "HU" for CT, else "1"."""
        return "HU" if self.instances[0].header.get("Modality") == "CT" else "1"

    def slices(self) -> Iterator[npt.NDArray[np.float32]]:
        """Decoded slices one by one, (rows, columns) float32, rescaled; padding reads as air."""
        paths = [instance.path for instance in self.instances]
        for index, decoded in enumerate(map_ahead(decode, paths)):
            self._refuse_other_size(decoded)
            self._facts[index] = decoded.facts
            yield decoded.hu

    def facts(self) -> Iterator[SliceFacts]:
        """Digest and padding of each slice; decodes again only what was not decoded yet."""
        if len(self._facts) < len(self.instances):
            for _ in self.slices():
                pass
        for index in range(len(self.instances)):
            yield self._facts[index]

    def decoded_facts(self, index: int) -> SliceFacts | None:
        """Digest and padding of one slice, None when it was not decoded yet."""
        return self._facts.get(index)

    def load(self) -> Volume:
        """The whole series in memory."""
        voxels = np.empty(self.shape, dtype=np.float32)
        for index, values in enumerate(self.slices()):
            voxels[index] = values
        return Volume(voxels, self.affine, self.unit, self.frame_of_reference)

    def _refuse_other_size(self, decoded: DecodedSlice) -> None:
        if decoded.hu.shape != self.shape[1:]:
            raise SeriesError(
                f"Every slice should decode to {self.shape[1:]}, got {decoded.hu.shape}; "
                "send the series again."
            )


def numbers(header: Dataset, keyword: str, count: int) -> npt.NDArray[np.float64]:
    """The `count` numbers of an attribute, (count,).

    Raises:
        SeriesError: the attribute is missing, has another count, or is no number.
    """
    try:
        value = header.get(keyword)
        values = np.atleast_1d(np.array(value, dtype=np.float64)) if value is not None else None
    except (ValueError, TypeError, OverflowError):
        values = None
    if values is None or values.shape != (count,) or not np.isfinite(values).all():
        raise SeriesError(
            f"Every slice needs {keyword} with {count} number(s), which an instance of this series "
            "lacks; send the series again from the scanner."
        )
    return values


def _plane(header: Dataset) -> Plane:
    spacing = numbers(header, "PixelSpacing", 2)
    if float(spacing.min()) <= 0:
        raise SeriesError("PixelSpacing should be above 0 mm, got 0 or less; send it again.")
    thickness = header.get("SliceThickness")
    return Plane(
        numbers(header, "ImagePositionPatient", 3),
        numbers(header, "ImageOrientationPatient", 6),
        spacing,
        float(numbers(header, "SliceThickness", 1)[0]) if thickness else 1.0,
    )


def _refuse_unfit(instances: tuple[SourceInstance, ...]) -> None:
    """Refuse what cannot be one stack whatever its geometry."""
    if not instances:
        raise SeriesError("A series needs at least one instance, got none; name a DICOM folder.")
    headers = [instance.header for instance in instances]
    for keyword in ONE_VALUE:
        _refuse_mixture(headers, keyword)
    for keyword in ("Rows", "Columns"):
        numbers(headers[0], keyword, 1)
    multi = sum(_is_multi_frame(header) for header in headers)
    if multi:
        raise SeriesError(
            f"Every instance should be a single slice, but {multi} of {len(headers)} are "
            "multi-frame; send the series as classic single-frame images."
        )
    uids = [str(h.SOPInstanceUID) for h in headers if h.get("SOPInstanceUID")]
    if len(set(uids)) < len(uids):
        raise SeriesError(
            f"{len(headers)} instances should have {len(headers)} SOP Instance UIDs, but some "
            "occur twice; leave the copies out."
        )
    if headers[0].get("Modality") == "CT":
        _refuse_bad_rescale(headers)


def _refuse_mixture(headers: list[Dataset], keyword: str) -> None:
    found = {str(header.get(keyword, "")).strip() for header in headers}
    if len(found) > 1:
        raise SeriesError(
            f"All instances of a series need one {keyword}, got {len(found)} different "
            f"values in {len(headers)} instances; split the series or send it again."
        )


def _is_multi_frame(header: Dataset) -> bool:
    return header.get("SOPClassUID") in MULTI_FRAME_CLASSES or not has_one_frame(header)


def has_one_frame(header: Dataset) -> bool:
    """Whether Number of Frames (0028,0008) is 1, absent or empty; what is no number is not 1."""
    try:
        return int(header.get("NumberOfFrames") or 1) == 1
    except (ValueError, TypeError, OverflowError):
        return False


def _refuse_bad_rescale(headers: list[Dataset]) -> None:
    """CT numbers need slope and intercept in every slice (PS3.3 C.8.2.1, type 1)."""
    for header in headers:
        if numbers(header, "RescaleSlope", 1)[0] <= 0:
            raise SeriesError("RescaleSlope should be above 0, got 0 or less; send it again.")
        numbers(header, "RescaleIntercept", 1)
        kind = str(header.get("RescaleType") or "HU")
        if kind != "HU":
            raise SeriesError(
                f"CT values should be in HU, but Rescale Type says {kind}; send plain CT images."
            )
