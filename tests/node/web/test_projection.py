"""The coronal projection: head above, right on the left, every line's largest value."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from node.web.projection import LONGER_SIDE, Projection, coronal
from tests.synthetic import write_ct_dataset

SLICES, ROWS, COLUMNS = 4, 6, 8


def write(folder: Path, number: int, orientation: list[float], position: list[float]) -> Path:
    """A slice of air with one bright pixel: row 2, column 1, and brighter from slice to slice."""
    ds = write_ct_dataset(
        Rows=ROWS,
        Columns=COLUMNS,
        ImageOrientationPatient=orientation,
        ImagePositionPatient=position,
        StudyInstanceUID="1.2",
        SeriesInstanceUID="1.2.3",
        FrameOfReferenceUID="1.2.4",
        SOPInstanceUID=f"1.2.3.{number}",
        PixelSpacing=[2.0, 2.0],
        SliceThickness=5.0,
    )
    stored = np.zeros((ROWS, COLUMNS), np.int16)
    stored[2, 1] = 100 + number
    ds.PixelData = stored.tobytes()
    ds.RescaleSlope, ds.RescaleIntercept = 1, 0
    path = folder / f"{number}.dcm"
    ds.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.parametrize(
    ("orientation", "place"),
    [
        ([1.0, 0, 0, 0, 1, 0], (0, 1)),  # supine: columns run to the left
        ([-1.0, 0, 0, 0, -1, 0], (0, COLUMNS - 2)),  # prone: columns run to the right
        ([1.0, 0, 0, 0, -1, 0], (0, 1)),  # normal to the feet
    ],
)
def test_head_above_and_right_on_the_left(
    tmp_path: Path, orientation: list[float], place: tuple[int, int]
) -> None:
    heights = range(SLICES)
    paths = [write(tmp_path, n, orientation, [0.0, 0.0, 5.0 * n]) for n in heights]
    found = coronal(paths[::-1])
    assert found.values.shape == (SLICES, COLUMNS)
    assert found.spacing == (5.0, 2.0)
    brightest = np.unravel_index(found.values.argmax(), found.values.shape)
    assert tuple(map(int, brightest)) == place  # the last slice is the highest one
    assert list(found.values[:, place[1]]) == [103, 102, 101, 100]


def test_in_proportion_the_pixels_are_square() -> None:
    body = Projection(np.zeros((200, 100), np.float32), (5.0, 2.5))
    assert body.in_proportion().shape == (LONGER_SIDE, LONGER_SIDE // 4)
    trunk = Projection(np.full((10, 100), 3.0, np.float32), (5.0, 1.0))
    assert trunk.in_proportion().shape == (LONGER_SIDE // 2, LONGER_SIDE)
    assert trunk.in_proportion().mean() == pytest.approx(3.0)
