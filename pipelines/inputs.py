"""What a pipeline is given, held against its card and against what it says of itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

import numpy as np

from dicom_profiles.volume import Volume
from pipelines.card import ModelCard
from pipelines.contract import Slice, SliceSource
from pipelines.errors import InputError

Input = TypeVar("Input")


def taken(inputs: Mapping[str, Input], card: ModelCard) -> dict[str, Input]:
    """The inputs in the order of the card; on the grid of the first lies the output.

    Raises:
        InputError: they are none of the sets of inputs that the card names.
    """
    for keys in card.accepted_sets:
        if set(keys) == set(inputs):
            return {key: inputs[key] for key in keys}
    wanted = ", or ".join(" and ".join(keys) for keys in card.accepted_sets)
    got = ", ".join(sorted(inputs)) or "nothing"
    raise InputError(f"{card.name} takes {wanted}; got: {got}.")


def refuse_other_units(volumes: Mapping[str, Volume], card: ModelCard) -> None:
    """Every volume has to be in the unit that the card names; "1" for none.

    Raises:
        InputError: one is in another.
    """
    for key, volume in volumes.items():
        unit = card.inputs[key].unit
        if volume.unit != unit:
            wanted = "has no unit ('1')" if unit == "1" else f"should be in {unit}"
            raise InputError(f"Input {key!r} {wanted}, got a volume in {volume.unit!r}.")


def refuse_empty(sources: Mapping[str, SliceSource]) -> None:
    """Every source has to hold something.

    Raises:
        InputError: one has no slices, rows or columns.
    """
    for key, source in sources.items():
        if 0 in source.shape:
            raise InputError(
                f"Input {key!r} should hold slices, rows and columns, got {source.shape}."
            )


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
