from __future__ import annotations

import numpy as np
import pytest

from dicom_profiles.volume import Volume
from tests.trainers.evaluation.toy import case
from trainers.evaluation.case import Case
from trainers.evaluation.measures import by_slice, compared, mean_value, overlap, uptake_values
from trainers.metrics.intensity import mae, rmse
from trainers.metrics.measurement import ALL_HU, DataRange, Mask
from trainers.metrics.uptake import UptakeThreshold


def test_a_measure_keeps_range_and_mask_in_its_record() -> None:
    one = case(2)
    window = DataRange(0, 100, "HU")
    measure = compared(mae, window, "lower")
    found = measure.score(one, one.truth.voxels + 3, one.masks["body"])
    assert measure.label == "MAE"
    assert (found.data_range, found.mask, found.n) == (window, "body", 4 * 64)
    assert found.value == pytest.approx(3, rel=1e-4)


def test_by_slice_is_the_mean_over_slices_that_count() -> None:
    one = case(2)
    output = one.truth.voxels.copy()
    output[0] += 2
    output[1] += 4
    output[3] += 500  # no voxel of the upper half
    found = by_slice(rmse)(one.truth.voxels, output, ALL_HU, one.masks["upper half"])
    assert found.value == pytest.approx(3, rel=1e-4)  # of the whole it would be the root of 10
    assert (found.n, found.mask, found.settings["mean"]) == (2, "upper half", "over slices")
    assert compared(by_slice(rmse), ALL_HU, "lower").label == "RMSE"


def test_overlap_counts_inside_the_whole_only() -> None:
    one = case(2)
    truth, output = np.zeros((2, 4, 12, 12), np.float32)
    truth[:, :, :6] = output[:, :, :4] = 300
    given = Case("P", "a", one.inputs, Volume(truth, np.eye(4)), {"body": one.masks["body"]})
    measure = overlap("bone above 200 HU", lambda voxels: voxels > 200)
    found = measure.score(given, output, given.masks["body"])
    assert found.value == pytest.approx(2 * 2 / (4 + 2))  # columns 2 to 5 against 2 to 3
    assert (measure.label, measure.regions) == ("Dice, bone above 200 HU", "whole")


def test_quantities_have_their_units() -> None:
    voxels = np.zeros((2, 4, 4), np.float32)
    voxels[0, :2, :2] = 4
    volume = Volume(voxels, np.diag([10.0, 10.0, 10.0, 1.0]), "SUVbw")
    mask = Mask("all", np.ones(voxels.shape, bool))
    found = {
        quantity.label: (quantity.value(volume, mask), quantity.unit)
        for quantity in (mean_value("SUVbw"), *uptake_values(UptakeThreshold(2.5)))
    }
    assert found == {
        "mean": (0.5, "SUVbw"),
        "SUVmax": (4, "SUVbw"),
        "SUVmean": (4, "SUVbw"),
        "MTV": (pytest.approx(4), "mL"),
        "TLG": (pytest.approx(16), "g"),
    }
