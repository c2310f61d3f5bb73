"""What a pipeline is given, held against what it asks for and against what it says of itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

import numpy as np

from dicom_profiles.volume import Volume
from pipelines.contract import Slice, SliceSource
from pipelines.errors import InputError

Input = TypeVar("Input")


def only_input(inputs: Mapping[str, Input], key: str, unit: str, taker: str) -> Input:
    """The one input of a pipeline that takes no other.

    Args:
        inputs: volumes or sources, by key.
        key: of the input.
        unit: that a volume has to be in; "1" for none.
        taker: name of the pipeline.

    Raises:
        InputError: it is missing or not alone, or in another unit.
    """
    if set(inputs) != {key}:
        got = ", ".join(sorted(inputs)) or "nothing"
        raise InputError(f"{taker} takes one input, {key!r}; got: {got}.")
    given = inputs[key]
    if isinstance(given, Volume):
        refuse_other_units({key: given}, unit)
    return given


def refuse_other_units(volumes: Mapping[str, Volume], unit: str) -> None:
    """Every volume has to be in this unit; "1" for none.

    Raises:
        InputError: one is in another.
    """
    for key, volume in volumes.items():
        if volume.unit != unit:
            wanted = "has no unit ('1')" if unit == "1" else f"should be in {unit}"
            raise InputError(f"Input {key!r} {wanted}, got a volume in {volume.unit!r}.")


def checked_slices(source: SliceSource) -> Iterator[Slice]:
    """The slices of a source, in order.

    Raises:
        InputError: a slice is of another size, holds values that are no numbers, or the source
            gives more or fewer than it says.
    """
    count, rows, columns = source.shape
    done = 0
    for image in source.slices():
        if image.shape != (rows, columns):
            raise InputError(f"Every slice should be {rows} x {columns}, got {image.shape}.")
        if not np.isfinite(image).all():
            raise InputError(f"Slice {done + 1} of {count} holds values that are no numbers.")
        done += 1
        yield image
    if done != count:
        raise InputError(f"The source should give {count} slices, got {done}.")
