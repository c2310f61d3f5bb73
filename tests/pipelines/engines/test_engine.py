from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.engines.engine import read_ahead, slabs, windows


def numbered(count: int) -> Iterator[np.ndarray]:
    return (np.full((2, 3), index, np.float32) for index in range(count))


@given(count=st.integers(1, 20), context=st.integers(0, 3), batch=st.integers(1, 5))
def test_every_slice_gets_its_neighbours_and_ends_repeat(
    count: int, context: int, batch: int
) -> None:
    seen = [
        list(window[:, 0, 0])
        for slab in slabs(numbered(count), context, batch)
        for window in windows(slab, context)
    ]
    around = range(-context, context + 1)
    assert seen == [[min(max(i + d, 0), count - 1) for d in around] for i in range(count)]


def test_slabs_hold_no_more_than_asked_for() -> None:
    assert [len(slab) for slab in slabs(numbered(5), 1, 2)] == [4, 4, 3]


def test_no_slices_make_no_slab() -> None:
    assert list(slabs(iter(()), 1, 2)) == []


def test_reading_ahead_keeps_the_order_and_the_depth() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(50):
            taken.append(number)
            yield number

    reader = read_ahead(items(), 3)
    got = []
    for number in reader:
        got.append(number)
        assert len(taken) <= number + 1 + 4
    assert got == list(range(50))


def test_an_error_while_reading_reaches_the_consumer() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("disk")

    reader = read_ahead(items(), 2)
    assert next(reader) == 1
    with pytest.raises(OSError, match="disk"):
        next(reader)


def test_closing_ends_the_reading_thread() -> None:
    before = threading.active_count()
    reader = read_ahead(iter(range(1000)), 2)
    next(reader)
    reader.close()
    assert threading.active_count() == before
