from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import nn

from tests.trainers.metrics.samples import UNIT, images, left_half, textured
from trainers.metrics.features import (
    FeatureTable,
    NetworkFeatures,
    comparable,
    extract_features,
    standardised,
)
from trainers.metrics.measurement import CT_RANGE, Floats, ImageSet, MetricError
from trainers.metrics.radiomics import RadiomicFeatures


class MeanOnly:
    name = "mean"

    def __call__(self, images: Floats, inside: npt.NDArray[np.bool_]) -> Floats:
        return np.array([[i[m].mean()] for i, m in zip(images, inside, strict=True)])


def table(values: Floats, extractor: str = "x") -> FeatureTable:
    return FeatureTable(values, extractor, UNIT, "every voxel")


def test_table_knows_where_it_came_from() -> None:
    real = textured(3)
    found = extract_features(ImageSet(real, left_half(real.shape)), MeanOnly(), UNIT)
    np.testing.assert_allclose(found.values[:, 0], real[:, :, :24].mean((1, 2)))
    assert (found.extractor, found.data_range, found.mask) == ("mean", UNIT, "left half")
    assert len(found.rows(np.array([2, 0]))) == 2


def test_networks_see_channels_in_batches_and_only_the_mask() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU())
    real = textured(5)
    masked = ImageSet(real, left_half(real.shape))
    spoilt = real.copy()
    spoilt[:, :, 24:] = 1
    found, other = (
        extract_features(
            ImageSet(values, masked.mask), NetworkFeatures(network, "n", batch=2), UNIT
        )
        for values in (real, spoilt)
    )
    assert found.values.shape == (5, 5)
    np.testing.assert_array_equal(found.values, other.values)
    blank = real.copy()
    blank[:, :, 24:] = 0
    planes = torch.from_numpy(blank).float()[:, None]
    with torch.no_grad():
        wanted = network(planes.expand(-1, 3, -1, -1)).mean((2, 3)).double().numpy()
    np.testing.assert_allclose(found.values, wanted, rtol=1e-5)


def test_networks_that_pool_themselves_are_left_alone() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(48 * 48, 4))
    found = extract_features(images(3), NetworkFeatures(network, "flat", channels=1), UNIT)
    assert found.values.shape == (3, 4)


def test_tables_made_in_different_ways_are_refused() -> None:
    one = table(np.zeros((4, 2)))
    comparable(one, one)
    with pytest.raises(MetricError, match="one extractor"):
        comparable(one, table(np.zeros((4, 2)), "y"))
    with pytest.raises(MetricError, match="one data range"):
        comparable(one, FeatureTable(one.values, "x", CT_RANGE, "every voxel"))
    with pytest.raises(MetricError, match="one mask"):
        comparable(one, FeatureTable(one.values, "x", UNIT, "body"))
    with pytest.raises(MetricError, match="one number of features"):
        comparable(one, table(np.zeros((4, 3))))


def test_standardising_uses_the_real_set_and_drops_what_never_changes() -> None:
    source = np.random.default_rng(0)
    real = source.normal((1000, 3, 0), (50, 0, 1e-3), (40, 3))
    first, second = standardised(table(real), table(2 * real + np.array([100, 5, 0])))
    assert first.values.shape == (40, 2)
    np.testing.assert_allclose(first.values.mean(0), 0, atol=1e-9)
    np.testing.assert_allclose(first.values.std(0), 1)
    wanted = (real[:, 0] + 100) / real[:, 0].std()  # the real set's centre and deviation, for both
    np.testing.assert_allclose((second.values - first.values)[:, 0], wanted)


def test_features_that_are_not_finite_are_refused() -> None:
    class Broken(MeanOnly):
        def __call__(self, images: Floats, inside: npt.NDArray[np.bool_]) -> Floats:
            return np.full((len(images), 2), np.nan)

    with pytest.raises(MetricError, match="not finite"):
        extract_features(images(2), Broken(), UNIT)


def test_radiomics_fit_the_interface() -> None:
    assert extract_features(images(2), RadiomicFeatures(), UNIT).values.shape == (2, 33)
