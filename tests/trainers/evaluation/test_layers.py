from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trainers.evaluation.case import EvaluationError
from trainers.evaluation.layers import by_lungs, by_table, equal, lung_base, lung_share, read_table


def trunk(lungs_from: int, slices: int = 24, gas_at: int | None = None) -> np.ndarray:
    """An ellipse of tissue with two lungs from a slice upwards, and perhaps gas in a bowel."""
    down, right = np.mgrid[:48, :48] - 24
    images = np.full((slices, 48, 48), -1000.0)
    images[:, (down / 18) ** 2 + (right / 22) ** 2 < 1] = 40
    lung = (down / 9) ** 2 + ((np.abs(right) - 10) / 6) ** 2 < 1
    images[lungs_from:, lung] = -800
    if gas_at is not None:
        images[gas_at, lung] = -900
    return images


def test_the_base_of_the_lungs_is_found() -> None:
    images = trunk(16)
    assert lung_base(images) == 16
    assert lung_share(images)[:16].max() == 0  # the air around the body is no lung
    assert lung_base(trunk(16, gas_at=5)) == 16  # one slice alone is gas
    assert lung_base(trunk(24)) is None


def test_layers_are_25_mm_thick_and_counted_from_the_base_of_the_lungs() -> None:
    layers = by_lungs("a", trunk(16), 12.5)
    assert layers[:16].tolist() == sorted([1, 2, 3, 4, 5, 6, 7, 8] * 2)
    assert layers[16:].tolist() == [9, 9, 10, 10, 0, 0, 0, 0]


def test_how_far_a_series_reaches_does_not_matter() -> None:
    whole = by_lungs("a", trunk(16), 20)
    part = by_lungs("a", trunk(16)[6:], 20)
    assert whole[:5].tolist() == [0] * 5  # too low for any layer
    assert part.tolist() == whole[6:].tolist()


def test_a_series_without_the_base_of_the_lungs_is_refused() -> None:
    with pytest.raises(EvaluationError, match=r"in a none is seen.*--layers equal"):
        by_lungs("a", trunk(24), 5)
    with pytest.raises(EvaluationError, match="in a the lowest slice already shows them"):
        by_lungs("a", trunk(16)[16:], 5)


def test_equal_layers_fill_all_ten() -> None:
    assert np.bincount(equal(37))[1:].tolist() == [4, 4, 4, 3, 4, 4, 3, 4, 4, 3]
    assert equal(3).tolist() == [1, 4, 7]


def test_a_readers_table_is_taken_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "layers.csv"
    path.write_text("series,layer,first,last\na,3,2,3\na,4,4,6\n")
    table = read_table(path)
    assert by_table("a", 7, table).tolist() == [0, 3, 3, 4, 4, 4, 0]
    with pytest.raises(EvaluationError, match="no line for b"):
        by_table("b", 7, table)
    with pytest.raises(EvaluationError, match="slices 1 to 5, got layer 4"):
        by_table("a", 5, table)
    path.write_text("series,layer\n")
    with pytest.raises(EvaluationError, match="wants the columns first, last, layer, series"):
        read_table(path)


def test_a_table_from_a_spreadsheet_is_read(tmp_path: Path) -> None:
    """Excel marks UTF-8 with three bytes before the first column."""
    path = tmp_path / "layers.csv"
    path.write_text("series,layer,first,last\na,3,2,3\n", encoding="utf-8-sig")
    assert read_table(path) == {"a": [(3, 2, 3)]}


@pytest.mark.parametrize("line", ["a,1,1,x", "a,1,1.5,3", "a,1"])
def test_a_line_without_numbers_is_a_sentence(tmp_path: Path, line: str) -> None:
    path = tmp_path / "layers.csv"
    path.write_text(f"series,layer,first,last\nb,1,1,2\n{line}\n")
    with pytest.raises(EvaluationError, match=r"layers.csv wants whole numbers .* line 3 has"):
        read_table(path)


def test_a_way_to_sort_that_there_is_not_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="--layers is lungs, equal or a CSV file, got lung"):
        read_table(Path("lung"))
