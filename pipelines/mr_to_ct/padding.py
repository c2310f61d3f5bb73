"""Empty slices at the ends of a series, or inside: the nearest image stands in for them.

Registration and reformatting leave slices of zeros where the MR has no image. A network that sees
nothing there answers with one even value; a neighbour two centimetres away tells more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np

from pipelines.contract import Slice

EMPTY_SHARE = 0.9
"""A slice with more zeros than this is no image."""

REACH_MM = 20.0
"""No image further away than this stands in for another."""


def reach_of(slice_mm: float) -> int:
    """How many slices away an image may be.

    Args:
        slice_mm: distance of slices.
    """
    return int(REACH_MM / slice_mm) if slice_mm > 0 else 0


def filled(slices: Iterable[Slice], reach: int) -> Iterator[Slice]:
    """The slices in order; in empty ones zeros become what the nearest image shows there.

    Args:
        slices: (rows, columns) each, padding 0.
        reach: how many slices away an image may be; so many are held back.
    """
    waiting: deque[tuple[int, Slice]] = deque()
    last: tuple[int, Slice] | None = None
    for index, image in enumerate(slices):
        if _empty(image):
            waiting.append((index, image))
            while waiting and index - waiting[0][0] >= reach:
                yield _stood_in(*waiting.popleft(), last, None, reach)
            continue
        while waiting:
            yield _stood_in(*waiting.popleft(), last, (index, image), reach)
        last = index, image
        yield image
    while waiting:
        yield _stood_in(*waiting.popleft(), last, None, reach)


def _empty(image: Slice) -> bool:
    return bool(np.count_nonzero(image <= 0) > EMPTY_SHARE * image.size)


def _stood_in(
    index: int,
    image: Slice,
    before: tuple[int, Slice] | None,
    after: tuple[int, Slice] | None,
    reach: int,
) -> Slice:
    """The empty slice with the nearer of two images in its zeros, where one is near enough."""
    near = [
        (abs(index - at), other)
        for at, other in (one for one in (before, after) if one is not None)
        if abs(index - at) <= reach
    ]
    if not near:
        return image
    _, nearest = min(near, key=lambda one: one[0])
    return np.where(image > 0, image, nearest)
