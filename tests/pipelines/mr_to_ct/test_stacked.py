from __future__ import annotations

import numpy as np
import torch

from pipelines.mr_to_ct.generators import MultiGenerator, Shape
from pipelines.mr_to_ct.residual_unet import ResidualUNet
from pipelines.mr_to_ct.stacked import Stacked, stacked


def test_modalities_are_parted_again() -> None:
    network = MultiGenerator(2, Shape(4, norm="none")).eval()
    images = torch.rand(1, 2, 24, 20)
    tall = torch.cat([images[:, :1], images[:, 1:]], dim=2)
    with torch.no_grad():
        torch.testing.assert_close(Stacked(network, 2)(tall), network(images))


def test_slices_are_fastest_among_the_planes() -> None:
    network = ResidualUNet(6, width=4)
    tall = torch.arange(3 * 2 * 16 * 16, dtype=torch.float32).reshape(1, 3, 32, 16)
    parted = Stacked(network, 2)._parted(tall)
    assert parted.shape == (1, 6, 16, 16)
    torch.testing.assert_close(parted[0, 1], tall[0, 1, :16])
    torch.testing.assert_close(parted[0, 3], tall[0, 0, 16:])


def test_parts_agree_with_the_whole() -> None:
    whole = Stacked(MultiGenerator(2, Shape(4)).eval(), 2)
    tall = torch.rand(1, 1, 46, 30)
    with torch.no_grad():
        parts = whole.finish(tall, whole.correction(whole.prepare(tall)))
        torch.testing.assert_close(parts, whole(tall))


def test_tall_images_hold_all_modalities_in_order() -> None:
    first, second = np.zeros((3, 4), np.float32), np.ones((3, 4), np.float32)
    (tall,) = stacked([[first], [second]])
    assert tall.shape == (6, 4)
    assert tall[:3].max() == 0
    assert tall[3:].min() == 1
