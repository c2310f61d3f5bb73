"""What an engine is, and how a series flows through it: slabs in, slices out, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Protocol, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from pipelines.contract import EngineFacts, Slice

Slab: TypeAlias = npt.NDArray[np.float32]
"""(batch + 2 * context, rows, columns) float32: a batch of slices with its neighbours."""

Batch: TypeAlias = npt.NDArray[np.float32]
"""(batch, rows, columns) float32: one output for every slice of a slab that is no neighbour."""

Item = TypeVar("Item")


class Engine(Protocol):
    """Runs one network on one device.

    Attributes:
        facts: what it is, for the quality record.
        batch: how many slices a slab should hold.
    """

    facts: EngineFacts
    batch: int

    def run(self, slabs: Iterable[Slab]) -> Generator[Batch, None, None]:
        """Run the network over slabs; one batch for each, in order, few of them in flight."""


def slabs(slices: Iterable[Slice], context: int, batch: int) -> Iterator[Slab]:
    """Cut a series into slabs that overlap by the context; the end slices repeat.

    Args:
        slices: (rows, columns) each, in order.
        context: neighbours on each side.
        batch: slices a slab; the last one has what is left, up to `batch + context - 1`.
    """
    pending: list[Slice] = []
    last: Slice | None = None
    for image in slices:
        if last is None:
            pending = [image] * context
        pending.append(image)
        last = image
        if len(pending) == batch + 2 * context:
            yield np.stack(pending)
            pending = pending[batch:]
    if last is None:
        return
    ending = list(chain(pending, [last] * context))
    if len(ending) > 2 * context:
        yield np.stack(ending)


def windows(slab: Slab, context: int) -> npt.NDArray[np.float32]:
    """Each slice with its neighbours: (batch, 2 * context + 1, rows, columns), a copy."""
    count = len(slab) - 2 * context
    return np.stack([slab[index : index + 2 * context + 1] for index in range(count)])


def read_ahead(items: Iterable[Item], depth: int) -> Generator[Item, None, None]:
    """Take items in a thread of their own, at most `depth` ahead of the consumer.

    An error in the thread is raised to the consumer; closing the iterator ends the thread.
    """
    source = iter(items)
    with ThreadPoolExecutor(1, "read-ahead") as thread:
        waiting = deque(thread.submit(next, source, None) for _ in range(depth))
        try:
            while (item := waiting.popleft().result()) is not None:
                waiting.append(thread.submit(next, source, None))
                yield item
        finally:
            for future in waiting:
                future.cancel()
