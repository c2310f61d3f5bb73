"""SourceProjection: one projection image (mammography) as it was received.

It offers what a `SourceSeries` offers, for a stack of one: a projection has no place in the
patient's frame, only a pixel spacing at the detector (PS3.3 C.8.11.4, C.8.11.7).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    DigitalMammographyXRayImageStorageForPresentation,
    DigitalMammographyXRayImageStorageForProcessing,
)

from dicom_profiles.errors import SeriesError
from dicom_profiles.sources.pixels import SliceFacts, decode, rescale_of
from dicom_profiles.sources.series import SourceInstance, has_one_frame, numbers
from dicom_profiles.volume import Volume

PROJECTION_CLASSES: frozenset[UID] = frozenset(
    {
        DigitalMammographyXRayImageStorageForPresentation,
        DigitalMammographyXRayImageStorageForProcessing,
    }
)
"""SOP classes of which every instance is an image of its own."""
SPACINGS = ("ImagerPixelSpacing", "PixelSpacing")
"""Where a projection says how far its pixels lie apart, the detector's plane first."""


@dataclass(frozen=True, eq=False)
class SourceProjection:
    """One projection image. Make it with `SourceProjection.of`, which proves it.

    Attributes:
        instances: the one instance.
        affine: (4, 4) float64; only the spacing in the plane of the detector, in mm; its
            origin is the first pixel.
    """

    instances: tuple[SourceInstance, ...]
    affine: npt.NDArray[np.float64]
    _facts: list[SliceFacts] = field(default_factory=list, repr=False)

    @classmethod
    def of(cls, instances: Iterable[SourceInstance]) -> Self:
        """Take the one instance of a projection.

        Raises:
            SeriesError: not one instance, no size, no spacing, or several frames.
        """
        found = tuple(instances)
        if len(found) != 1:
            raise SeriesError(
                f"A projection is one image, got {len(found)}; each is translated by itself."
            )
        header = found[0].header
        for keyword in ("Rows", "Columns"):
            numbers(header, keyword, 1)
        if not has_one_frame(header):
            raise SeriesError("A projection has one frame, got several; send the single image.")
        return cls(found, _affine(header))

    def __len__(self) -> int:
        return 1

    @property
    def headers(self) -> tuple[Dataset, ...]:
        """The data set without pixel data."""
        return (self.instances[0].header,)

    @property
    def series_instance_uid(self) -> str:
        """Series Instance UID (0020,000E)."""
        return str(self.headers[0].get("SeriesInstanceUID", ""))

    @property
    def study_instance_uid(self) -> str:
        """Study Instance UID (0020,000D)."""
        return str(self.headers[0].get("StudyInstanceUID", ""))

    @property
    def frame_of_reference(self) -> str:
        """Frame of Reference UID (0020,0052), "" when the image has none."""
        return str(self.headers[0].get("FrameOfReferenceUID", ""))

    @property
    def sop_instance_uids(self) -> tuple[str, ...]:
        """The SOP Instance UID."""
        return (str(self.headers[0].get("SOPInstanceUID", "")),)

    @property
    def shape(self) -> tuple[int, int, int]:
        """1, rows, columns."""
        return 1, int(self.headers[0].Rows), int(self.headers[0].Columns)

    @property
    def unit(self) -> str:
        """Grey values of a projection have no unit."""
        return "1"

    def slices(self) -> Iterator[npt.NDArray[np.float32]]:
        """The image, (rows, columns) float32: modality values, bright is dense; padding is 0."""
        decoded = decode(self.instances[0].path)
        if decoded.hu.shape != self.shape[1:]:
            raise SeriesError(
                f"The image should decode to {self.shape[1:]}, got {decoded.hu.shape}; send it "
                "again."
            )
        self._facts[:] = [decoded.facts]
        yield self._bright_is_dense(decoded.hu, decoded.facts)

    def facts(self) -> Iterator[SliceFacts]:
        """Digest and padding of the image; decodes it only if it was not decoded yet."""
        if not self._facts:
            for _ in self.slices():
                pass
        yield self._facts[0]

    def load(self) -> Volume:
        """The image in memory, as a volume of one slice."""
        (image,) = self.slices()
        return Volume(image[np.newaxis], self.affine, self.unit, self.frame_of_reference)

    def _bright_is_dense(
        self, values: npt.NDArray[np.float32], facts: SliceFacts
    ) -> npt.NDArray[np.float32]:
        """MONOCHROME1 turned over within its range of values (PS3.3 C.7.6.3.1.2)."""
        header = self.headers[0]
        if header.get("PhotometricInterpretation") != "MONOCHROME1":
            return values
        low, high = value_range(header)
        turned = np.float32(low + high) - values
        if facts.padding is not None:
            turned[facts.padding.where(values.shape)] = 0.0
        return turned


def value_range(header: Dataset) -> tuple[float, float]:
    """Lowest and highest modality value that Bits Stored can hold (PS3.3 C.7.6.3, C.11.1)."""
    bits = int(header.BitsStored)
    signed = int(header.get("PixelRepresentation") or 0) == 1
    lowest = -(1 << (bits - 1)) if signed else 0
    slope, intercept = rescale_of(header)
    ends = [slope * value + intercept for value in (lowest, lowest + (1 << bits) - 1)]
    return min(ends), max(ends)


def _affine(header: Dataset) -> npt.NDArray[np.float64]:
    """(4, 4): rows and columns spaced as at the detector, in mm."""
    keyword = next((name for name in SPACINGS if header.get(name)), SPACINGS[0])
    rows, columns = numbers(header, keyword, 2)
    if min(rows, columns) <= 0:
        raise SeriesError(f"{keyword} should be above 0 mm, got 0 or less; send it again.")
    affine = np.zeros((4, 4))
    affine[2, 0], affine[1, 1], affine[0, 2], affine[3, 3] = 1.0, rows, columns, 1.0
    return affine
