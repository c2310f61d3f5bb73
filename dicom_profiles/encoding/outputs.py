"""What a pipeline gives, slice by slice beside what it was made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from dicom_profiles.ahead import map_ahead
from dicom_profiles.errors import DerivedObjectError
from dicom_profiles.sources.pixels import SliceFacts, pixel_digest
from dicom_profiles.sources.source import Sources, reference_of

OutputSlice: TypeAlias = tuple[int, tuple[SliceFacts, ...], npt.NDArray[np.float32]]
"""Index, pixel facts of the slice of every input at its place, (rows, columns) of the output."""


@dataclass(frozen=True, eq=False)
class StoredOutput:
    """The stored values of one output slice.

    Attributes:
        index: of the slice in the sources.
        source_digest: SHA-256 of the pixels of the first input, hexadecimal.
        pixels: little-endian.
        digest: SHA-256 of them.
    """

    index: int
    source_digest: str
    pixels: bytes
    digest: str


def in_step(sources: Sources, slices: Iterable[npt.NDArray[np.float32]]) -> Iterator[OutputSlice]:
    """The output beside its sources, in order.

    Raises:
        DerivedObjectError: other count or shape than the first source.
    """
    reference = reference_of(sources)
    shape = reference.shape[1:]
    wanted = f"The output should have {len(reference)} slices of {shape}"
    outputs = iter(slices)
    for index, facts in enumerate(zip(*(s.facts() for s in sources.values()), strict=True)):
        output = next(outputs, None)
        if output is None or output.shape != shape:
            got = f"only {index} slices" if output is None else f"one of shape {output.shape}"
            raise DerivedObjectError(f"{wanted}, got {got}.")
        yield index, facts, output
    if next(outputs, None) is not None:
        raise DerivedObjectError(f"{wanted}, got more.")


def stored_outputs(
    sources: Sources,
    slices: Iterable[npt.NDArray[np.float32]],
    stored_values: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.integer]],
) -> Iterator[StoredOutput]:
    """The output as stored values, in order; threads work ahead.

    Args:
        sources: what it was made of.
        slices: (rows, columns) float32.
        stored_values: makes little-endian stored values of a slice.

    Raises:
        DerivedObjectError: as `in_step` and `stored_values` do.
    """

    def stored(work: OutputSlice) -> StoredOutput:
        index, facts, output = work
        values = stored_values(output)
        return StoredOutput(index, facts[0].digest, values.tobytes(), pixel_digest(values))

    return map_ahead(stored, in_step(sources, slices))
