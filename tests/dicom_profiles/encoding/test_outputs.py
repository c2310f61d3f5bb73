from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from dicom_profiles.encoding.outputs import in_step, stored_outputs
from dicom_profiles.errors import DerivedObjectError
from dicom_profiles.reading import open_series
from dicom_profiles.sources.pixels import pixel_digest
from dicom_profiles.sources.series import SourceSeries
from tests.dual_echo import write_dual_echo

Slices = list[npt.NDArray[np.float32]]


@pytest.fixture
def phases(tmp_path: Path) -> dict[str, SourceSeries]:
    paths = write_dual_echo(tmp_path, slices=4, size=64)
    return {key: open_series(paths[key]) for key in ("IP", "OOP")}


def images(*levels: float, shape: tuple[int, int] = (64, 64)) -> Slices:
    return [np.full(shape, level, np.float32) for level in levels]


def test_each_slice_comes_with_the_facts_of_every_input_at_its_place(
    phases: dict[str, SourceSeries],
) -> None:
    found = list(in_step(phases, images(1, 2, 3, 4)))
    assert [index for index, _, _ in found] == [0, 1, 2, 3]
    assert [float(output[0, 0]) for _, _, output in found] == [1, 2, 3, 4]
    wanted = zip(*(source.facts() for source in phases.values()), strict=True)
    assert [facts for _, facts, _ in found] == list(wanted)


@pytest.mark.parametrize(
    ("given", "got"),
    [
        (images(1, 2, 3), "got only 3 slices"),
        (images(1, 2, 3, 4, 5), "got more"),
        ([*images(1, 2, 3), *images(4, shape=(64, 60))], r"got one of shape \(64, 60\)"),
    ],
)
def test_other_counts_and_shapes_are_refused(
    phases: dict[str, SourceSeries], given: Slices, got: str
) -> None:
    with pytest.raises(DerivedObjectError, match=rf"4 slices of \(64, 64\), {got}"):
        list(in_step(phases, given))


def test_stored_values_come_in_order_with_both_digests(phases: dict[str, SourceSeries]) -> None:
    def whole(image: npt.NDArray[np.float32]) -> npt.NDArray[np.int16]:
        return image.astype("<i2")

    made = list(stored_outputs(phases, images(5, 6, 7, 8), whole))
    assert [one.index for one in made] == [0, 1, 2, 3]
    assert [np.frombuffer(one.pixels, "<i2")[0] for one in made] == [5, 6, 7, 8]
    assert made[2].digest == pixel_digest(whole(images(7)[0]))
    assert [one.source_digest for one in made] == [f.digest for f in phases["IP"].facts()]
