"""Prepared arrays kept on disk, and patches cut out of them.

An array is prepared once (resampled, scaled), written as `.npy` and mapped into memory: every
process and thread reads the same pages, and a data set may be larger than the memory.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

Number = TypeVar("Number", bound=np.generic)


class ArrayCache:
    """A folder of prepared arrays.

    Args:
        folder: made when it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def array(self, key: str, make: Callable[[], npt.NDArray[Number]]) -> npt.NDArray[Number]:
        """The array of a key, read-only, mapped from disk; made and kept at the first call.

        Args:
            key: says all that the array depends on: source, digest, spacing.
            make: gives the array.
        """
        digest = hashlib.sha256(key.encode()).hexdigest()[:16]
        words = re.sub(r"[^A-Za-z0-9]+", "-", key).strip("-")[:60]
        path = self.folder / f"{words}-{digest}.npy"
        if not path.exists():
            part = path.with_suffix(f".{os.getpid()}.part")
            with part.open("wb") as file:
                np.save(file, make())
            part.replace(path)
        kept: npt.NDArray[Number] = np.load(path, mmap_mode="r")
        return kept


def draw_corner(
    shape: Sequence[int], size: Sequence[int], random: np.random.Generator
) -> tuple[int, ...]:
    """First index of a patch that lies anywhere in an array; 0 along axes shorter than the patch.

    Args:
        shape: of the array, its last axes.
        size: of the patch, as many axes.
        random: source of randomness.
    """
    room = [max(0, whole - part) for whole, part in zip(shape, size, strict=True)]
    return tuple(int(random.integers(free + 1)) for free in room)


def corner_around(
    point: Sequence[int], shape: Sequence[int], size: Sequence[int]
) -> tuple[int, ...]:
    """First index of the patch with a point in its middle, moved inside where it sticks out."""
    places = zip(point, shape, size, strict=True)
    return tuple(max(0, min(at - part // 2, whole - part)) for at, whole, part in places)


def cut(
    array: npt.NDArray[Number], corner: Sequence[int], size: Sequence[int], fill: float = 0.0
) -> npt.NDArray[Number]:
    """A patch of the last axes, filled up beyond the end of the array.

    Args:
        array: (..., *axes).
        corner: first index, one for each axis.
        size: of the patch.
        fill: for what lies beyond the end.
    """
    window = tuple(slice(at, at + part) for at, part in zip(corner, size, strict=True))
    patch: npt.NDArray[Number] = array[(Ellipsis, *window)]  # type: ignore[arg-type]
    missing = [
        (0, wanted - got) for wanted, got in zip(size, patch.shape[-len(size) :], strict=True)
    ]
    if not any(after for _, after in missing):
        return patch
    ahead = [(0, 0)] * (patch.ndim - len(size))
    return np.pad(patch, [*ahead, *missing], constant_values=np.asarray(fill, array.dtype))


def turned(
    arrays: Sequence[npt.NDArray[Any]], random: np.random.Generator, *, quarters: bool = True
) -> list[npt.NDArray[Any]]:
    """The same arrays flipped, and turned by quarters where wanted, all alike.

    Args:
        arrays: (..., rows, columns), square where they are turned.
        random: source of randomness.
        quarters: turn as well: right for noise, wrong for anatomy.
    """
    quarter = int(random.integers(4)) if quarters else 0
    across, down = random.random() < 0.5, quarters and random.random() < 0.5
    done = []
    for one in arrays:
        image = np.rot90(one, quarter, axes=(-2, -1)) if quarter else one
        image = image[..., ::-1] if across else image
        image = image[..., ::-1, :] if down else image
        done.append(np.ascontiguousarray(image))
    return done
