from __future__ import annotations

from collections.abc import Iterator

import pytest

from dicom_profiles.ahead import ITEMS_AHEAD, map_ahead


def double(value: int) -> int:
    return 2 * value


def test_results_come_in_order() -> None:
    assert list(map_ahead(double, range(100))) == [2 * i for i in range(100)]
    assert list(map_ahead(double, [])) == []


def test_only_a_few_items_are_taken_ahead() -> None:
    taken = []

    def items() -> Iterator[int]:
        for i in range(1000):
            taken.append(i)
            yield i

    results = map_ahead(double, items())
    assert [next(results) for _ in range(3)] == [0, 2, 4]
    assert len(taken) <= 3 + ITEMS_AHEAD


def test_an_error_comes_out_where_it_happened() -> None:
    def fail_at_two(value: int) -> int:
        if value == 2:
            raise ValueError("two")
        return value

    results = map_ahead(fail_at_two, range(5))
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="two"):
        next(results)


def test_an_error_of_the_items_comes_out() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        list(map_ahead(double, items()))


def test_it_can_be_left_early() -> None:
    results = map_ahead(double, iter(range(10_000)))
    next(results)
    results.close()
    with pytest.raises(StopIteration):
        next(results)
