from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from node.reading.errors import UnfitMaterial
from node.reading.likeness import (
    FULL_SCALE,
    Likeness,
    block_length,
    bring_alike,
    common_likeness,
    spacing_of,
)
from node.reading.material import Candidate, find_candidates
from tests.dual_echo import write_dual_echo
from tests.node.reading.patients import candidates, write_real
from tests.synthetic import write_ct_series


def two(folder: Path, **other: object) -> list[Candidate]:
    write_real(folder / "1", "P1")
    write_real(folder / "2", "P2", **other)
    return find_candidates([folder], [])


def test_equal_series_are_left_as_they_are(tmp_path: Path) -> None:
    likeness = common_likeness(candidates(tmp_path, 2), None, resample=False)
    # 12 bits of the scanner end at 3071 HU; the derived series' 16 bits must not tell.
    assert likeness == Likeness((6, 64, 64), None, -1024.0, 3071.0, 1)


def test_the_shortest_series_gives_the_number_of_slices(tmp_path: Path) -> None:
    found = two(tmp_path, slices=4)
    assert common_likeness(found, None, resample=False).shape[0] == 4
    assert common_likeness(found, 3, resample=False).shape[0] == 3
    with pytest.raises(UnfitMaterial, match="1 to 4 slices are possible"):
        common_likeness(found, 5, resample=False)


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        ({"rows": 80, "columns": 80}, "One matrix is wanted, got 64 x 64, 80 x 80"),
        ({"spacing": (5.0, 0.9375, 0.9375)}, "One slice distance is wanted, got 3 to 5 mm"),
        ({"spacing": (3.0, 2.0, 2.0)}, "Pixels of similar size"),
        ({"spacing": (3.0, 0.9, 1.0)}, "Square pixels"),
    ],
)
def test_what_would_tell_is_refused_unless_interpolated(
    tmp_path: Path, other: dict[str, object], sentence: str
) -> None:
    found = two(tmp_path, **other)
    with pytest.raises(UnfitMaterial, match=sentence) as refusal:
        common_likeness(found, None, resample=False)
    assert "--resample" in str(refusal.value)
    likeness = common_likeness(found, None, resample=True)
    assert likeness.spacing_mm is not None
    for one in found:
        spacing = spacing_of(one.source.affine)
        block = one.source.load().voxels[: block_length(likeness, spacing)]
        assert bring_alike(block, spacing, likeness).shape == likeness.shape


def test_one_modality_is_wanted(tmp_path: Path) -> None:
    write_ct_series(tmp_path / "ct")
    write_dual_echo(tmp_path / "mr", ("IP",))
    found = find_candidates([tmp_path], [])
    with pytest.raises(UnfitMaterial, match="One modality is wanted, got CT, MR"):
        common_likeness(found, None, resample=True)


def test_other_directions_are_refused(tmp_path: Path) -> None:
    turned = two(tmp_path, ImageOrientationPatient=["-1", "0", "0", "0", "-1", "0"])
    with pytest.raises(UnfitMaterial, match="from the same side"):
        common_likeness(turned, None, resample=True)


def test_values_are_clipped_to_what_every_source_could_hold() -> None:
    likeness = Likeness((1, 1, 5), None, -1024.0, 3071.0, 1)
    block = np.array([[[-3000.0, -1024.0, 0.4, 3071.0, 9000.0]]], dtype=np.float32)
    found = bring_alike(block, (1, 1, 1), likeness)
    assert found.tolist() == [[[0, 0, 1024, 4095, 4095]]]


def test_values_have_the_coarsest_step() -> None:
    likeness = Likeness((1, 1, 4), None, -1024.0, 3071.0, 4)
    block = np.array([[[0.0, 1.0, 2.5, 5.0]]], dtype=np.float32)
    assert set(bring_alike(block, (1, 1, 1), likeness).ravel() % 4) == {0}


def test_values_without_a_unit_have_one_scale() -> None:
    values = np.linspace(0, 100, 10_001, dtype=np.float32).reshape(1, 1, -1)
    likeness = Likeness((1, 1, 10_001), None, 0.0, 0.0, 1)
    one, other = (bring_alike(values * gain, (1, 1, 1), likeness) for gain in (1, 37))
    assert np.abs(one.astype(int) - other.astype(int)).max() <= 1
    assert one[0, 0, 9950] == pytest.approx(FULL_SCALE, rel=1e-3)


def test_interpolation_keeps_a_ramp_where_it_lies() -> None:
    """A ramp along the columns stays the same ramp in mm, whatever the pixels were."""
    likeness = Likeness((2, 20, 20), (3.0, 2.0, 2.0), -1024.0, 3071.0, 1)
    found = []
    for pixel in (0.8, 1.0, 1.6):
        count = round(80 / pixel) + 1
        x = (np.arange(count) - (count - 1) / 2) * pixel
        block = np.broadcast_to(np.float32(10) * x, (2, count, count)).astype(np.float32)
        found.append(bring_alike(block, (3.0, pixel, pixel), likeness)[0, 10].astype(int))
    for other in found[1:]:
        assert np.abs(found[0] - other).max() <= 1


def test_the_common_grid_is_the_coarsest(tmp_path: Path) -> None:
    found = two(tmp_path, spacing=(5.0, 1.5, 1.5))
    likeness = common_likeness(found, None, resample=True)
    assert likeness.spacing_mm == pytest.approx((5.0, 1.25 * 1.5, 1.25 * 1.5))
    # 6 slices of 3 mm reach over 15 mm, 64 pixels of 0.9375 mm over 59 mm
    assert likeness.shape == (4, 32, 32)


def test_the_coarsest_source_gives_step_and_range(tmp_path: Path) -> None:
    likeness = common_likeness(two(tmp_path, RescaleSlope="2"), None, resample=False)
    assert (likeness.low, likeness.high, likeness.step) == (-1024.0, 3071.0, 2)


def ramp(slices: int, step: float) -> np.ndarray:
    """Slices of one value each: 0, step, 2 * step …"""
    values = np.arange(slices, dtype=np.float32) * np.float32(step)
    return np.broadcast_to(values[:, None, None], (slices, 9, 9)).astype(np.float32)


def test_slices_that_nearly_fit_stay_as_they_are() -> None:
    likeness = Likeness((4, 9, 9), (3.2, 1.0, 1.0), -1024.0, 3071.0, 1)
    spacing = (3.0, 1.0, 1.0)
    assert block_length(likeness, spacing) == 4
    found = bring_alike(ramp(4, 100), spacing, likeness)
    assert (found[:, 4, 4].astype(int) - 1024).tolist() == [0, 100, 200, 300]


def test_thinner_slices_are_smoothed_and_begin_where_the_case_begins() -> None:
    likeness = Likeness((3, 9, 9), (3.0, 1.0, 1.0), -1024.0, 3071.0, 1)
    spacing = (1.0, 1.0, 1.0)
    assert block_length(likeness, spacing) == 7
    found = bring_alike(ramp(7, 100), spacing, likeness)[:, 4, 4].astype(int) - 1024
    assert found[1] == 300  # in the middle of a ramp
    assert 0 < found[0] < 100  # what lies below is as the first slice
    assert found[0] + found[2] == 600

    likeness = Likeness((2, 9, 9), (1.6, 1.0, 1.0), -1024.0, 3071.0, 1)
    assert block_length(likeness, spacing) == 3
    found = bring_alike(ramp(3, 100), spacing, likeness)[:, 4, 4].astype(int) - 1024
    assert (abs(found - [0, 160]) <= 1).all()
