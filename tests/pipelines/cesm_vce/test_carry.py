from __future__ import annotations

import numpy as np
import pytest

from pipelines.cesm_vce.carry import carried, linear_maps
from pipelines.cesm_vce.framing import SIZE, framed
from tests.mammograms import breast


@pytest.mark.parametrize("shape", [(300, 180), (1031, 619)])
@pytest.mark.parametrize("side", ["L", "R"])
def test_detail_of_what_follows_the_mammogram_is_kept(shape: tuple[int, int], side: str) -> None:
    image = breast(*shape, side=side)
    noise = np.random.default_rng(0).normal(0, 0.02, image.shape)
    image = np.where(image > 0, image + noise, 0).astype(np.float32)
    around = framed(image)
    made = carried(np.where(around.breast, 0.3 * around.seen + 0.2, 0), around, image)
    assert made.shape == image.shape
    inside = (made > 0) & (image > 0.2)
    wanted = 0.3 * around.scale.apply(image) + 0.2
    # finer than the network ever saw, and yet as the affine law says
    assert np.abs(made - wanted)[inside].mean() < 0.005
    assert np.corrcoef(made[inside], image[inside])[0, 1] > 0.99


def test_anatomy_does_not_show_where_the_output_does_not_follow_it() -> None:
    image = breast(600, 360)
    around = framed(image)
    made = carried(np.where(around.breast, np.float32(0.3), 0), around, image)
    inside = image > 0
    np.testing.assert_allclose(made[inside & (made > 0)], 0.3, atol=1e-4)
    assert (made > 0)[inside].mean() > 0.99


def test_air_stays_black_and_the_border_is_the_mammograms_own() -> None:
    image = breast(1024, 614)
    around = framed(image)
    made = carried(np.full((SIZE, SIZE), 0.4, np.float32), around, image)
    assert not made[image == 0].any()


def test_values_stay_in_the_display_range() -> None:
    image = breast()
    around = framed(image)
    made = carried(4 * around.seen - 1, around, image)
    assert made.min() >= 0
    assert made.max() <= 1
    assert made.dtype == np.float32


def test_the_maps_are_least_squares() -> None:
    guide = np.random.default_rng(3).random((SIZE, SIZE), np.float32)
    inside = np.ones((SIZE, SIZE), bool)
    slope, offset = linear_maps(np.asarray(0.7 * guide + 0.1, np.float32), guide, inside)
    assert np.abs(slope - 0.7).max() < 0.01
    assert np.abs(offset - 0.1).max() < 0.01
