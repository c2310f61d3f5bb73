from __future__ import annotations

import math

import numpy as np
import pytest

from dicom_profiles.volume import Volume
from trainers.metrics.measurement import EVERY_VOXEL, Mask, MetricError
from trainers.metrics.uptake import UptakeThreshold, uptake


def lesion(unit: str = "SUVbw") -> Volume:
    """Eight voxels of SUV 4, one of them 8, in a background of 1; voxels of 4 x 4 x 3 mm."""
    voxels = np.ones((6, 8, 8), dtype=np.float32)
    voxels[2:4, 3:5, 3:5] = 4
    voxels[2, 3, 3] = 8
    return Volume(voxels, np.diag([3.0, 4.0, 4.0, 1.0]), unit)


def test_hand_computed_lesion() -> None:
    found = uptake(lesion(), UptakeThreshold(2.5), EVERY_VOXEL)
    voxel_ml = 0.048
    assert found["SUVmax"].value == 8
    assert found["SUVmean"].value == 4.5
    assert found["MTV"].value == pytest.approx(8 * voxel_ml)
    assert found["TLG"].value == pytest.approx(8 * voxel_ml * 4.5)
    assert [found[name].unit for name in found] == ["SUVbw", "SUVbw", "mL", "g"]
    assert found["MTV"].n == 8


def test_volume_does_not_depend_on_the_grid() -> None:
    volume = lesion()
    fine = Volume(
        np.repeat(np.repeat(volume.voxels, 2, axis=1), 3, axis=2),
        np.diag([3.0, 2.0, 4 / 3, 1.0]),
        "SUVbw",
    )
    coarse, other = (uptake(v, UptakeThreshold(2.5), EVERY_VOXEL) for v in (volume, fine))
    for name in ("SUVmax", "SUVmean", "MTV", "TLG"):
        assert other[name].value == pytest.approx(coarse[name].value)


def test_oblique_and_flipped_grids_have_positive_volumes() -> None:
    volume = lesion()
    turn = np.array([[0.6, 0.8, 0, 0], [0.8, -0.6, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    turned = Volume(volume.voxels, turn @ volume.affine, "SUVbw")
    assert uptake(turned, UptakeThreshold(2.5), EVERY_VOXEL)["MTV"].value == pytest.approx(0.384)


def test_a_share_of_the_largest_value() -> None:
    found = uptake(lesion(), UptakeThreshold(0.41, relative=True), EVERY_VOXEL)
    assert found["MTV"].n == 8
    assert found["MTV"].settings["threshold_suv"] == pytest.approx(3.28)
    half = uptake(lesion(), UptakeThreshold(0.51, relative=True), EVERY_VOXEL)
    assert half["MTV"].n == 1


def test_the_threshold_itself_counts_and_the_mask_limits() -> None:
    volume = lesion()
    assert uptake(volume, UptakeThreshold(4.0), EVERY_VOXEL)["MTV"].n == 8
    voxels = np.zeros(volume.voxels.shape, dtype=bool)
    voxels[3] = True
    found = uptake(volume, UptakeThreshold(2.5), Mask("slice 3", voxels))
    assert (found["SUVmax"].value, found["MTV"].n) == (4, 4)


def test_nothing_above_the_threshold() -> None:
    found = uptake(lesion(), UptakeThreshold(20), EVERY_VOXEL)
    assert (found["MTV"].value, found["TLG"].value) == (0, 0)
    assert math.isnan(found["SUVmean"].value)


def test_other_units_and_impossible_thresholds_are_refused() -> None:
    with pytest.raises(MetricError, match="SUVbw is wanted, got 'HU'"):
        uptake(lesion("HU"), UptakeThreshold(2.5), EVERY_VOXEL)
    with pytest.raises(MetricError, match="above 0"):
        UptakeThreshold(0)
    with pytest.raises(MetricError, match="share up to 1"):
        UptakeThreshold(41, relative=True)
