from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.feature import graycomatrix, graycoprops
from torch import Tensor

from trainers.losses.soft_glcm import (
    Binning,
    assignments,
    binning_bias,
    glcm_contrast,
    pairs,
    soft_contrast,
    soft_glcm,
    soft_moments,
)

LEVELS_8_BIT = Binning(first=0, last=255)
OFFSETS = [(0, 1), (1, 1), (1, 0), (1, -1), (0, 3), (-2, 4), (5, -5)]
ANGLES = {(0, 1): 0.0, (1, 1): np.pi / 4, (1, 0): np.pi / 2, (1, -1): 3 * np.pi / 4}


def noise(size: int = 64) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (size, size), dtype=np.uint8)


def smooth(size: int = 64) -> npt.NDArray[np.uint8]:
    rows, columns = np.mgrid[:size, :size] / size
    waves = 127 + 80 * np.sin(9 * rows) * np.cos(7 * columns) + 30 * rows
    return np.asarray(waves, np.uint8)


def as_batch(image: npt.NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(image.astype(np.float64))[None, None]


def hard_contrast(image: npt.NDArray[np.uint8], angle: float, distance: int = 1) -> float:
    matrix = graycomatrix(image, [distance], [angle], levels=256, symmetric=True, normed=True)
    return float(graycoprops(matrix, "contrast")[0, 0])


@pytest.mark.parametrize("normalised", [True, False])
@pytest.mark.parametrize("offset", OFFSETS)
def test_contrast_without_the_matrix_equals_the_dense_oracle(
    offset: tuple[int, int], normalised: bool
) -> None:
    binning = Binning(levels=48, sigma_bins=0.7, normalised=normalised)
    image = torch.rand(3, 1, 12, 14, dtype=torch.float64) * 2 - 1
    dense = glcm_contrast(soft_glcm(assignments(image, binning), offset))
    fast = soft_contrast(soft_moments(image, binning), offset)
    torch.testing.assert_close(fast, dense, rtol=1e-12, atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    levels=st.integers(2, 40),
    sigma=st.floats(0.2, 2.0),
    spread=st.floats(0.0, 1.2),
    offset=st.tuples(st.integers(-4, 4), st.integers(-4, 4)),
)
def test_contrast_equals_the_oracle_everywhere(
    seed: int, levels: int, sigma: float, spread: float, offset: tuple[int, int]
) -> None:
    binning = Binning(levels=levels, sigma_bins=sigma)
    source = torch.Generator().manual_seed(seed)
    image = spread * (torch.rand(2, 1, 6, 7, dtype=torch.float64, generator=source) * 2 - 1)
    dense = glcm_contrast(soft_glcm(assignments(image, binning), offset))
    fast = soft_contrast(soft_moments(image, binning), offset)
    torch.testing.assert_close(fast, dense, rtol=1e-10, atol=1e-10)


def test_float32_keeps_the_contrast_of_a_nearly_flat_image() -> None:
    image = torch.rand(1, 1, 64, 64) * 0.02 + 0.9
    single = soft_contrast(soft_moments(image, Binning()), (0, 1))
    double = soft_contrast(soft_moments(image.double(), Binning()), (0, 1))
    assert single.item() == pytest.approx(double.item(), rel=1e-3)


def test_mixed_precision_does_not_blur_the_bins() -> None:
    image = (torch.rand(1, 1, 16, 16) * 2 - 1).bfloat16()
    moments = soft_moments(image, Binning())
    exact = soft_moments(image.float(), Binning())
    assert moments.mean.dtype == assignments(image, Binning()).dtype == torch.float32
    torch.testing.assert_close(soft_contrast(moments, (0, 1)), soft_contrast(exact, (0, 1)))


@pytest.mark.parametrize("offset", ANGLES)
@pytest.mark.parametrize("image", [noise(), smooth()], ids=["noise", "smooth"])
def test_contrast_agrees_with_scikit_image(
    image: npt.NDArray[np.uint8], offset: tuple[int, int]
) -> None:
    wanted = hard_contrast(image, ANGLES[offset])
    moments = soft_moments(as_batch(image), LEVELS_8_BIT)
    found = soft_contrast(moments, offset)
    assert found.item() == pytest.approx(wanted, rel=3e-3, abs=0.5)
    unbiased = found - binning_bias(moments, offset)
    assert unbiased.item() == pytest.approx(wanted, rel=3e-3)  # noise: the ends of the range


def test_hard_bins_give_scikit_images_number() -> None:
    hard = Binning(first=0, last=255, sigma_bins=0.1)
    found = soft_contrast(soft_moments(as_batch(noise()), hard), (0, 1))
    assert found.item() == pytest.approx(hard_contrast(noise(), 0.0), rel=1e-10)


def test_scaled_centres_need_a_scaled_sigma() -> None:
    image = as_batch(smooth())
    found = soft_contrast(soft_moments(image / 127.5 - 1, Binning()), (0, 1))
    wanted = soft_contrast(soft_moments(image, LEVELS_8_BIT), (0, 1))
    assert found.item() == pytest.approx(wanted.item(), rel=1e-9)


def test_matrix_is_symmetric_and_sums_to_one() -> None:
    matrix = soft_glcm(assignments(torch.rand(2, 1, 9, 9), Binning(levels=16)), (2, -1))
    torch.testing.assert_close(matrix, matrix.transpose(1, 2))
    torch.testing.assert_close(matrix.sum((1, 2)), torch.ones(2))


@pytest.mark.parametrize("value", [-1.0, 0.123, 1.0, 7.0])
def test_flat_image_has_only_the_bias_of_soft_bins(value: float) -> None:
    moments = soft_moments(torch.full((1, 1, 8, 8), value, dtype=torch.float64), Binning())
    contrast, bias = soft_contrast(moments, (1, 1)), binning_bias(moments, (1, 1))
    assert (contrast - bias).item() == pytest.approx(0, abs=1e-12)
    assert contrast.item() < 0.6  # 2 sigma squared


def test_gradient_is_right() -> None:
    image = (torch.rand(2, 1, 5, 6, dtype=torch.float64) * 2 - 1).requires_grad_()
    binning = Binning(levels=32)

    def contrast(values: Tensor) -> Tensor:
        moments = soft_moments(values, binning)
        return torch.stack([soft_contrast(moments, offset) for offset in [(0, 1), (2, -1)]])

    assert torch.autograd.gradcheck(contrast, (image,))


def test_unweighted_pixels_far_from_all_bins_give_zero_not_nan() -> None:
    moments = soft_moments(torch.full((1, 1, 4, 4), 50.0), Binning(normalised=False))
    assert soft_contrast(moments, (0, 1)).item() == 0


@pytest.mark.parametrize("offset", OFFSETS)
def test_pairs_are_at_the_offset(offset: tuple[int, int]) -> None:
    numbers = torch.arange(110).view(10, 11)
    near, far = pairs(numbers, offset)
    assert (far - near == 11 * offset[0] + offset[1]).all()
    assert near.shape == (10 - abs(offset[0]), 11 - abs(offset[1]))


def test_images_too_small_or_of_the_wrong_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="no pixel pairs at offset"):
        pairs(torch.zeros(4, 4), (4, 0))
    with pytest.raises(ValueError, match="move channels"):
        soft_moments(torch.zeros(2, 3, 8, 8), Binning())
    with pytest.raises(ValueError, match="at least 2 levels"):
        Binning(levels=1)
