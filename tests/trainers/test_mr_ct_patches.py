from __future__ import annotations

import numpy as np
import pytest

from trainers.mr_ct_patches import Stack, draw, every_slice, stack_of
from trainers.readers.mr_ct import MrCtSeries


def a_pair(padded: bool = False) -> Stack:
    """A bright square of soft tissue in air; MR and CT show it at the same place."""
    ct = np.full((6, 80, 90), -1000.0, np.float32)
    ct[:, 20:60, 30:70] = 50.0
    mr = np.full((1, 6, 80, 90), 0.01, np.float32)
    mr[:, :, 20:60, 30:70] = 0.5
    if padded:
        mr[..., :10] = 0.0
    return Stack("p", mr, ct)


def test_mr_and_ct_are_turned_together() -> None:
    patches = draw([a_pair()], 6, 64, 2, np.random.default_rng(0))
    assert patches.mr.shape == (6, 5, 64, 64)
    bright, soft = patches.mr[:, 2:3] > 0.3, patches.ct > -300
    counted = patches.weight > 0
    assert (bright == soft)[counted].float().mean() > 0.97
    assert 0 < soft.float().mean() < 1


def test_a_step_is_repeatable() -> None:
    first, again = (draw([a_pair()], 2, 32, 1, np.random.default_rng(3)) for _ in range(2))
    assert first.mr.equal(again.mr)
    assert first.ct.equal(again.ct)


def test_padding_stays_zero_and_air_does_not_become_padding() -> None:
    patches = draw([a_pair(padded=True)], 8, 64, 0, np.random.default_rng(1))
    inside = patches.weight > 0.9
    assert (patches.mr[inside] > 0).all()
    assert (patches.mr == 0).any()


def test_the_body_counts_more_than_air_and_nothing_outside_the_image() -> None:
    patches = draw([a_pair()], 8, 96, 0, np.random.default_rng(2))
    assert {round(value, 3) for value in patches.weight.unique().tolist()} >= {0.0, 0.1, 1.0}


def test_one_side_alone_can_be_drawn() -> None:
    pair = a_pair()
    mr_alone = draw([Stack("p", pair.mr, None)], 2, 32, 0, np.random.default_rng(0))
    ct_alone = draw([Stack("p", None, pair.ct)], 2, 32, 0, np.random.default_rng(0))
    assert mr_alone.ct.max() <= 0
    assert ct_alone.ct.max() == pytest.approx(50.0, abs=0.01)
    assert mr_alone.mr.max() > 0.3


def test_phases_share_one_bright_end_and_pixels_come_near_to_the_working_size() -> None:
    body = np.random.default_rng(0).uniform(200, 1000, (3, 40, 40)).astype(np.float32)
    series = MrCtSeries("p", {"IP": body, "OOP": 0.5 * body}, body, 3.0, 5.0)
    stack = stack_of(series, ("IP", "OOP"), 1.5)
    assert stack.mr is not None
    assert stack.mr.shape == (2, 3, 80, 80)
    np.testing.assert_allclose(stack.mr[1], 0.5 * stack.mr[0], rtol=1e-3)


def test_every_slice_has_its_neighbours() -> None:
    planes = [planes for planes, _ in every_slice(a_pair(), 2)]
    assert len(planes) == 6
    assert planes[0].shape == (1, 5, 80, 90)
