"""Patches cut out of prepared arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

Number = TypeVar("Number", bound=np.generic)


def corner_around(
    point: Sequence[int], shape: Sequence[int], size: Sequence[int]
) -> tuple[int, ...]:
    """First index of the patch with a point in its middle, moved inside where it sticks out."""
    places = zip(point, shape, size, strict=True)
    return tuple(max(0, min(at - part // 2, whole - part)) for at, whole, part in places)


def cut(
    array: npt.NDArray[Number], corner: Sequence[int], size: Sequence[int]
) -> npt.NDArray[Number]:
    """A patch of the last axes, filled up with zeros beyond the end of the array.

    Args:
        array: (..., *axes).
        corner: first index, one for each axis.
        size: of the patch.
    """
    window = tuple(slice(at, at + part) for at, part in zip(corner, size, strict=True))
    patch: npt.NDArray[Number] = array[(Ellipsis, *window)]  # type: ignore[arg-type]
    missing = [
        (0, wanted - got) for wanted, got in zip(size, patch.shape[-len(size) :], strict=True)
    ]
    if not any(after for _, after in missing):
        return patch
    ahead = [(0, 0)] * (patch.ndim - len(size))
    return np.pad(patch, [*ahead, *missing])
