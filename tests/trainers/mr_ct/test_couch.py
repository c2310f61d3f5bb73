from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from trainers.mr_ct.couch import AIR_HU, without_couch

BODY = (slice(None), slice(20, 80), slice(20, 80))
ARM = (slice(None), slice(45, 61), slice(2, 16))
COUCH = (slice(None), slice(92, 94), slice(5, 95))


def ct(*limbs: tuple[slice, ...], hu: float = 40.0) -> npt.NDArray[np.float32]:
    """(slices, rows, columns) with a body, and these besides."""
    image = np.full((3, 100, 100), AIR_HU, np.float32)
    for place in (BODY, *limbs):
        image[place] = hu
    return image


def test_the_couch_becomes_air_and_arms_stay() -> None:
    image = ct(ARM)
    with_couch = image.copy()
    with_couch[COUCH] = 200.0
    np.testing.assert_array_equal(without_couch(with_couch), image)


def test_a_couch_that_the_skin_touches_ends_beside_the_body() -> None:
    image = ct()
    image[:, 80:82, 5:95] = 200.0
    alone = without_couch(image)
    assert alone[:, 80:82, :15].max() == alone[:, 80:82, 85:].max() == AIR_HU
    assert alone[BODY].min() == 40.0


def test_a_limb_that_the_image_cuts_through_stays_to_the_border() -> None:
    cut = ct()[:, :, :23]  # three columns of the body are left
    np.testing.assert_array_equal(without_couch(cut), cut)


def test_lungs_and_the_skin_stay() -> None:
    image = ct()
    image[:, 40:60, 40:60] = -850.0
    image[:, 19, 20:80] = -700.0  # half of a pixel of skin
    alone = without_couch(image)
    assert (alone[:, 40:60, 40:60] == -850.0).all()
    assert (alone[:, 19, 22:78] == -700.0).all()


def test_air_alone_stays_air() -> None:
    nothing = np.full((2, 20, 20), AIR_HU, np.float32)
    np.testing.assert_array_equal(without_couch(nothing), nothing)


@given(st.integers(0, 2**32 - 1))
def test_only_air_is_put_in_and_a_second_time_changes_nothing(seed: int) -> None:
    random = np.random.default_rng(seed)
    image = random.choice(np.array([AIR_HU, 40.0], np.float32), (2, 30, 30))
    alone = without_couch(image)
    assert ((alone == image) | (alone == AIR_HU)).all()
    np.testing.assert_array_equal(without_couch(alone), alone)
