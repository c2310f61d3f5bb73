"""Work on a stream in a few threads, in order, with bounded memory."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

THREADS = min(4, os.cpu_count() or 1)
"""Decoders, digests and array arithmetic release the interpreter, so a few threads help."""
ITEMS_AHEAD = 2 * THREADS
"""Results that wait for the consumer: bounds the memory whatever the stream's length."""


def map_ahead(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    threads: int = THREADS,
    ahead: int = ITEMS_AHEAD,
) -> Generator[Result, None, None]:
    """Apply a function to items in threads; results come in order, a few ahead of the consumer.

    An error of the function, or of the items, comes out where its result would have.

    Args:
        function: what is done to an item.
        items: the stream.
        threads: how many items are worked on at a time.
        ahead: how many results may wait for the consumer, those in work included.
    """
    stream = iter(items)
    with ThreadPoolExecutor(threads, function.__name__) as pool:
        waiting: deque[Future[Result]] = deque()
        try:
            waiting.extend(pool.submit(function, item) for item in islice(stream, ahead))
            while waiting:
                result = waiting.popleft().result()
                waiting.extend(pool.submit(function, item) for item in islice(stream, 1))
                yield result
        finally:
            for future in waiting:
                future.cancel()
