from __future__ import annotations

import pytest
import torch
from skimage.feature import graycomatrix, graycoprops
from torch import Tensor

from trainers.losses.soft_glcm import Binning
from trainers.losses.texture import (
    ANGLES_DEGREES,
    DISTANCES_PIXELS,
    TextureLoss,
    offset_of,
    texture_descriptor,
)

AGGREGATIONS = ["max", "mean", "frobenius", "attention"]


def images(batch: int = 2, size: int = 24, seed: int = 0) -> Tensor:
    source = torch.Generator().manual_seed(seed)
    return torch.rand(batch, 1, size, size, generator=source, dtype=torch.float64) * 2 - 1


def test_grid_agrees_with_scikit_image_at_every_angle_and_distance() -> None:
    levels = torch.randint(0, 256, (40, 40), generator=torch.Generator().manual_seed(3))
    angles = [torch.pi * angle / 180 for angle in ANGLES_DEGREES]
    matrix = graycomatrix(
        levels.numpy(), DISTANCES_PIXELS, angles, levels=256, symmetric=True, normed=True
    )
    wanted = torch.from_numpy(graycoprops(matrix, "contrast").T.copy())  # (angles, distances)
    hard = Binning(first=0, last=255, sigma_bins=0.1)
    found = texture_descriptor(levels.double()[None, None], hard)[0]
    torch.testing.assert_close(found, wanted)


def test_offsets_are_the_nearest_pixels() -> None:
    assert offset_of(0, 3) == (0, 3)
    assert offset_of(90, 3) == (3, 0)
    assert [offset_of(45, distance) for distance in DISTANCES_PIXELS] == [
        (1, 1),
        (2, 2),
        (4, 4),
        (5, 5),
    ]
    assert offset_of(135, 5) == (4, -4)


def test_rotation_by_90_degrees_swaps_the_angles() -> None:
    image = images()
    grid, turned = texture_descriptor(image), texture_descriptor(torch.rot90(image, 1, (2, 3)))
    torch.testing.assert_close(turned, grid[:, [2, 3, 0, 1]])


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_equal_images_cost_nothing_and_have_finite_gradients(aggregation: str) -> None:
    loss = TextureLoss(aggregation).double()
    fake = images().requires_grad_()
    value = loss(fake, fake.detach().clone())
    value.backward()
    assert value.item() == 0
    assert fake.grad is not None
    assert torch.isfinite(fake.grad).all()


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_larger_texture_errors_cost_more(aggregation: str) -> None:
    loss = TextureLoss(aggregation).double()
    real = images()
    loss(0.2 * real, real)  # attention: the running scale has seen the largest error
    loss.eval()
    costs = [loss(contrast * real, real).item() for contrast in (0.2, 0.5, 0.8, 1.0)]
    assert costs == sorted(costs, reverse=True)
    assert costs[0] > costs[-1] == pytest.approx(0, abs=1e-9)


def feature_gradients(loss: TextureLoss) -> list[float]:
    image = (0.3 * images(batch=1)).requires_grad_()
    grid = loss._descriptor(image)
    return [
        torch.autograd.grad(cell, image, retain_graph=True)[0].abs().max().item()
        for cell in grid.flatten()
    ]


def test_all_16_features_have_gradients() -> None:
    assert min(feature_gradients(TextureLoss())) > 1e-3


def test_half_of_the_legacy_features_have_none() -> None:
    gradients = feature_gradients(TextureLoss(legacy_code=True))
    assert min(gradients[:8]) > 1e-6
    assert max(gradients[8:]) < 1e-9


def test_samples_of_a_batch_do_not_mix() -> None:
    batch = images(batch=5)
    alone = torch.cat([texture_descriptor(image[None]) for image in batch])
    torch.testing.assert_close(texture_descriptor(batch), alone)


@pytest.mark.parametrize("aggregation", ["max", "mean", "frobenius"])
def test_a_batch_costs_the_mean_of_its_samples(aggregation: str) -> None:
    loss = TextureLoss(aggregation)
    fake, real = images(batch=3), images(batch=3, seed=1)
    alone = [loss(a[None], b[None]) for a, b in zip(fake, real, strict=True)]
    torch.testing.assert_close(loss(fake, real), torch.stack(alone).mean())


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_gradients_through_the_loss_are_right(aggregation: str) -> None:
    loss = TextureLoss(aggregation, Binning(levels=16)).double()
    real, fake = images(1, 8), (0.5 * images(1, 8, seed=1)).requires_grad_()
    loss(fake, real)
    loss.eval()
    assert torch.autograd.gradcheck(lambda image: loss(image, real), (fake,), fast_mode=True)


def test_the_label_gets_no_gradient() -> None:
    real = images().requires_grad_()
    TextureLoss()(images(seed=1).requires_grad_(), real).backward()
    assert real.grad is None


def test_unknown_names_and_contradictions_are_refused() -> None:
    with pytest.raises(ValueError, match="one of max, mean, frobenius, attention, got 'median'"):
        TextureLoss("median")
    with pytest.raises(ValueError, match="leave binning out"):
        TextureLoss("mean", Binning(), legacy_code=True)
