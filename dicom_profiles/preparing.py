"""Derived images made ready, as far as can be, while the network still runs.

Pixels and the attributes of a slice wait for nothing but that slice; what the images of a series
share waits for the record, which comes after the last one. What is ready is only a head start:
without it the writer does the same work and gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from dicom_profiles import ct_denoised
from dicom_profiles.encoding.ready import ReadySlice
from dicom_profiles.errors import DerivedObjectError
from dicom_profiles.sources.source import Sources

MOST_BYTES = 64 * 2**20
"""Stored values that are kept in memory: 128 slices of 512 x 512."""

Prepare: TypeAlias = Callable[[int, npt.NDArray[np.float32]], ReadySlice]
"""(index of the slice, output (rows, columns)) to its part of the file."""

PREPARERS: Mapping[str, Callable[[Sources], Prepare]] = {
    "ldct_denoise": ct_denoised.SlicePreparation,
}
"""Pipeline to how its slices are made ready; others wait for their writer."""


def preparing(
    pipeline: str,
    sources: Sources,
    images: Iterable[npt.NDArray[np.float32]],
    ready: MutableMapping[int, ReadySlice],
) -> Iterator[npt.NDArray[np.float32]]:
    """Hand slices on and make each ready, as long as there is room.

    Args:
        pipeline: by its name.
        sources: what the slices were made of; the source of a slice has been decoded before it.
        images: (rows, columns) each, in the order of the first source.
        ready: gets what was made, by index.
    """
    preparation, room = PREPARERS.get(pipeline), MOST_BYTES
    prepare = preparation(sources) if preparation else None
    for index, image in enumerate(images):
        yield image
        if prepare is None:
            continue
        try:
            made = prepare(index, image)
        except DerivedObjectError:
            prepare = None  # the writer comes to the same and says what is wrong
            continue
        room -= made.stored.pixels.nbytes
        if room < 0:
            prepare = None
            continue
        ready[index] = made
