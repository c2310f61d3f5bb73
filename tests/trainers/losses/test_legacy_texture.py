from __future__ import annotations

import pytest
import torch

from trainers.losses.legacy_texture import LEVELS, LegacyAttention, legacy_descriptor
from trainers.losses.soft_glcm import glcm_contrast, soft_glcm
from trainers.losses.texture import TextureLoss, texture_descriptor


def gentle() -> torch.Tensor:
    rows = torch.linspace(-1, 1, 32, dtype=torch.float64)
    return (0.5 * torch.sin(9 * rows)[:, None] * torch.cos(7 * rows)[None, :])[None, None]


def test_contrast_at_90_and_135_degrees_is_a_constant() -> None:
    for image in (gentle(), torch.rand(1, 1, 16, 16, dtype=torch.float64)):
        wanted = torch.full((2, 4), (LEVELS**2 - 1) / 6, dtype=torch.float64)
        torch.testing.assert_close(legacy_descriptor(image)[0, 2:], wanted)


def test_sigma_is_so_wide_that_smooth_images_look_rough() -> None:
    assert legacy_descriptor(gentle())[0, 0, 0] > 20 * texture_descriptor(gentle())[0, 0, 0]


def test_agrees_with_the_dense_matrix_of_the_same_weights() -> None:
    image = gentle()
    centres = torch.linspace(-1, 1, LEVELS, dtype=torch.float64).view(1, -1, 1, 1)
    weights = torch.exp(-((image - centres) ** 2) / (2 * 0.5**2))
    wanted = glcm_contrast(soft_glcm(weights, (6, 6)))
    torch.testing.assert_close(legacy_descriptor(image)[:, 1, 3], wanted)


def test_samples_of_a_batch_mix() -> None:
    batch = torch.rand(2, 1, 16, 16, dtype=torch.float64)
    alone = torch.cat([legacy_descriptor(image[None]) for image in batch])
    assert not torch.allclose(legacy_descriptor(batch), alone)


def test_attention_is_blind_to_scale() -> None:
    attention, grid = LegacyAttention(), torch.rand(2, 4, 4)
    assert attention(grid).item() == pytest.approx(attention(100 * grid).item(), rel=1e-4)


def test_attention_of_equal_images_is_nan() -> None:
    image = gentle()
    assert torch.isnan(TextureLoss("attention", legacy_code=True).double()(image, image))
