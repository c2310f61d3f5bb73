"""Output slices whose part of the file is made already."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dicom_profiles.encoding.ct_pixels import StoredSlice
from dicom_profiles.encoding.part10 import Encoded


@dataclass(frozen=True, eq=False)
class ReadySlice:
    """All of a slice's file that does not wait for the quality record.

    Attributes:
        stored: the pixels.
        elements: encoded elements in which the slices of a series may differ.
    """

    stored: StoredSlice
    elements: Encoded


@dataclass(frozen=True, eq=False)
class ReadyImages:
    """Output slices, some of which are ready.

    Attributes:
        images: (rows, columns) float32 in HU, in the order of the source.
        ready: those that are ready, by index.
    """

    images: Iterable[npt.NDArray[np.float32]]
    ready: Mapping[int, ReadySlice]

    def __iter__(self) -> Iterator[npt.NDArray[np.float32]]:
        return iter(self.images)
