from __future__ import annotations

import numpy as np
import pytest

from trainers.mr_ct.patches import FAR_SHARE, OUTSIDE_SHARE, Stack, draw, every_slice, stack_of
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
    patches = draw([a_pair()], 40, 64, 2, np.random.default_rng(0))
    assert patches.mr.shape == (40, 5, 64, 64)
    bright, soft = patches.mr[:, 2:3] > 0.3, patches.ct > -300
    counted = patches.weight > 0
    agree = [
        float(same[count].float().mean())
        for same, count in zip(bright == soft, counted, strict=True)
    ]
    assert np.quantile(agree, 0.3) > 0.97  # a quarter of them fades
    assert 0 < soft.float().mean() < 1


def test_some_patches_fade_towards_a_border_and_the_ct_does_not() -> None:
    patches = draw([a_pair()], 60, 24, 0, np.random.default_rng(4))
    tissue = patches.ct > 40
    darkest = [
        float(mr[own].min()) for mr, own in zip(patches.mr, tissue, strict=True) if own.any()
    ]
    faded = np.mean(np.array(darkest) < 0.2)
    assert 0.05 < faded < 0.5
    assert float(patches.ct[tissue].min()) > 40


def test_bone_is_drawn_more_often_than_its_size() -> None:
    pair = a_pair()
    assert pair.ct is not None
    pair.ct[:, 24:28, 34:38] = 1000.0
    patches = draw([pair], 80, 16, 0, np.random.default_rng(6), at_bone=0.3)
    with_bone = (patches.ct > 500).flatten(1).any(dim=1).float().mean()
    without = draw([a_pair()], 80, 16, 0, np.random.default_rng(6), at_bone=0.3)
    assert (without.ct > 500).sum() == 0
    assert 0.3 < float(with_bone) < 0.7  # by size alone a tenth to a fifth


def test_tissue_without_ct_does_not_count() -> None:
    pair = a_pair()
    assert pair.ct is not None
    pair.ct[:, 40:60, 30:70] = -1000.0  # the field of the CT ends in the middle of the body
    patches = draw([pair], 30, 64, 0, np.random.default_rng(7))
    clear = (patches.mr > 0.4) & (patches.ct < -990) & (patches.weight > 0)
    inside = (patches.mr > 0.4) & (patches.ct < -990)
    assert inside.sum() > 1000
    assert clear.sum() < 0.1 * inside.sum()  # a pixel of interpolation along the borders


def test_some_patches_lie_far_from_the_body_where_air_counts_more() -> None:
    pair = a_pair()
    assert pair.mr is not None
    assert pair.ct is not None
    wide = ((0, 0), (0, 0), (60, 60))
    mr = np.pad(pair.mr, ((0, 0), *wide), constant_values=0.01)
    pair = Stack("p", mr, np.pad(pair.ct, wide, constant_values=-1000.0))
    random = np.random.default_rng
    near = draw([pair], 40, 16, 0, random(8))
    assert float(near.weight.max()) == 1.0
    assert ((near.weight - FAR_SHARE).abs() < 1e-3).float().mean() < 0.01  # it begins further away
    far = draw([pair], 40, 16, 0, random(8), anywhere=0.5)
    empty = (far.ct < -990).flatten(1).all(dim=1)
    assert 0.1 < float(empty.float().mean()) < 0.5
    assert ((far.weight - FAR_SHARE).abs() < 1e-3).float().mean() > 0.1


def test_a_series_may_run_either_way() -> None:
    pair = a_pair()
    assert pair.mr is not None
    rising = np.linspace(0.3, 2, 6, dtype=np.float32)[None, :, None, None]
    pair = Stack("p", pair.mr * rising, pair.ct)
    patches = draw([pair], 40, 16, 1, np.random.default_rng(9))
    rises = (patches.mr[:, 2] - patches.mr[:, 0]).mean(dim=(1, 2))
    assert (rises > 0.1).any()
    assert (rises < -0.1).any()


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
    assert {round(value, 3) for value in patches.weight.unique().tolist()} >= {
        0.0,
        OUTSIDE_SHARE,
        1.0,
    }


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
