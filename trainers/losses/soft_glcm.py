"""Differentiable grey-level co-occurrence: dense, and its contrast in O(pixels).

A pixel x belongs to bin k with weight a_k = exp(-(x - b_k)^2 / (2 s^2)), normalised over k unless
told otherwise. The co-occurrence matrix of an offset is G[i, j] = sum_p a_i(p) a_j(q), with q the
pixel at that offset from p; pairs that leave the image are dropped.

Contrast sum_ij G[i, j] (i - j)^2 needs no matrix: with w, mu and v the sum, mean and variance of a
pixel's weights over the bins,

    C = sum_p w(p) w(q) [v(p) + v(q) + (mu(p) - mu(q))^2] / sum_p w(p) w(q)

which is exact, costs a few operations a pixel, and loses no digits in float32, since no large
second moments are subtracted. The dense form stays for other Haralick features and as oracle.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

Offset = tuple[int, int]
"""Steps (rows down, columns right) from a pixel to its neighbour."""

NEGLIGIBLE_SIGMAS = 10.0
"""Weights this many sigmas away (2e-22 of the peak) are below float64's resolution."""


@dataclass(frozen=True)
class Binning:
    """Where the grey-level bins lie and how soft they are.

    Attributes:
        first: centre of bin 0, in the image's unit.
        last: centre of the last bin.
        levels: number of bins.
        sigma_bins: softness in bin widths; 0.5 is 1/255 for centres from -1 to 1.
        normalised: whether a pixel's weights sum to one over the bins.
    """

    first: float = -1.0
    last: float = 1.0
    levels: int = 256
    sigma_bins: float = 0.5
    normalised: bool = True

    def __post_init__(self) -> None:
        if self.levels < 2 or self.last <= self.first or self.sigma_bins <= 0:
            raise ValueError(
                "Binning wants at least 2 levels, last > first and sigma_bins > 0, "
                f"got levels={self.levels}, first={self.first}, last={self.last}, "
                f"sigma_bins={self.sigma_bins}."
            )

    @property
    def width(self) -> float:
        """Distance between neighbouring centres, in the image's unit."""
        return (self.last - self.first) / (self.levels - 1)


@dataclass(frozen=True)
class SoftMoments:
    """Moments of each pixel's bin weights, each (batch, rows, columns).

    Attributes:
        weight: sum of the weights.
        mean: mean bin.
        variance: variance in bins squared: the blur that soft binning itself adds.
    """

    weight: Tensor
    mean: Tensor
    variance: Tensor


def _in_bins(image: Tensor, binning: Binning) -> Tensor:
    """The image (batch, 1, rows, columns) as bin numbers (batch, rows, columns), fractions kept."""
    if image.ndim != 4 or image.shape[1] != 1:
        raise ValueError(
            f"Co-occurrence wants images of shape (batch, 1, rows, columns), got "
            f"{tuple(image.shape)}; move channels to the batch axis."
        )
    exact = image if image.dtype == torch.float64 else image.float()  # bfloat16 cannot tell bins
    return (exact[:, 0] - binning.first) / binning.width


def soft_moments(image: Tensor, binning: Binning) -> SoftMoments:
    """Bin moments of every pixel of `image` (batch, 1, rows, columns).

    Only bins within `NEGLIGIBLE_SIGMAS` of the pixel are visited.
    """
    position = _in_bins(image, binning)
    nearest = position.detach().round().clamp(0, binning.levels - 1)
    reach = math.ceil(NEGLIGIBLE_SIGMAS * binning.sigma_bins + 0.5)
    steps = torch.arange(-reach, reach + 1, device=image.device, dtype=position.dtype)
    steps = steps.view(1, -1, 1, 1)
    bins = nearest.unsqueeze(1) + steps  # (B, 2 reach + 1, H, W)
    logits = -((position.unsqueeze(1) - bins) ** 2) / (2 * binning.sigma_bins**2)
    logits = logits.masked_fill((bins < 0) | (bins > binning.levels - 1), -torch.inf)
    shares = torch.softmax(logits, dim=1)
    step = (shares * steps).sum(1)  # mean, relative to the nearest bin: small numbers stay exact
    variance = (shares * (steps - step.unsqueeze(1)) ** 2).sum(1)
    weight = torch.ones_like(step) if binning.normalised else torch.logsumexp(logits, 1).exp()
    return SoftMoments(weight, nearest + step, variance)


def pairs(image: Tensor, offset: Offset) -> tuple[Tensor, Tensor]:
    """Every pixel that has a neighbour at `offset`, and that neighbour: two views (..., h, w)."""
    rows, columns = image.shape[-2:]
    down, right = offset
    if abs(down) >= rows or abs(right) >= columns:
        raise ValueError(
            f"An image of {rows} x {columns} has no pixel pairs at offset {offset}; "
            "use larger patches or smaller distances."
        )
    near = image[..., max(0, -down) : rows - max(0, down), max(0, -right) : columns - max(0, right)]
    far = image[..., max(0, down) : rows + min(0, down), max(0, right) : columns + min(0, right)]
    return near, far


def soft_contrast(moments: SoftMoments, offset: Offset) -> Tensor:
    """Haralick contrast (batch,) in bins squared at `offset`, without building the matrix."""
    mean_p, mean_q = pairs(moments.mean, offset)
    variance_p, variance_q = pairs(moments.variance, offset)
    weight_p, weight_q = pairs(moments.weight, offset)
    weight = weight_p * weight_q
    squares = variance_p + variance_q + (mean_p - mean_q) ** 2
    return _weighted_mean(squares, weight)


def binning_bias(moments: SoftMoments, offset: Offset) -> Tensor:
    """The part of `soft_contrast` (batch,) that soft binning adds; all of it on a flat image."""
    variance_p, variance_q = pairs(moments.variance, offset)
    weight_p, weight_q = pairs(moments.weight, offset)
    weight = weight_p * weight_q
    return _weighted_mean(variance_p + variance_q, weight)


def _weighted_mean(values: Tensor, weight: Tensor) -> Tensor:
    """Mean over each image (batch, rows, columns); 0 where no pixel lies near any bin."""
    smallest = torch.finfo(weight.dtype).tiny
    return (weight * values).sum((-2, -1)) / weight.sum((-2, -1)).clamp_min(smallest)


def assignments(image: Tensor, binning: Binning) -> Tensor:
    """Weights (batch, levels, rows, columns) of every pixel in every bin; 256 times the image."""
    position = _in_bins(image, binning).unsqueeze(1)
    bins = torch.arange(binning.levels, device=image.device, dtype=position.dtype)
    logits = -((position - bins.view(1, -1, 1, 1)) ** 2) / (2 * binning.sigma_bins**2)
    return torch.softmax(logits, dim=1) if binning.normalised else logits.exp()


def soft_glcm(weights: Tensor, offset: Offset) -> Tensor:
    """Symmetric co-occurrence matrices (batch, levels, levels), each summing to one.

    Args:
        weights: from `assignments`, (batch, levels, rows, columns).
        offset: steps (rows, columns) to the neighbour.
    """
    near, far = pairs(weights, offset)
    counts = torch.einsum("bihw,bjhw->bij", near, far)
    counts = counts + counts.transpose(1, 2)
    return counts / counts.sum((1, 2), keepdim=True)


def glcm_contrast(matrix: Tensor) -> Tensor:
    """Haralick contrast (batch,) of co-occurrence matrices (batch, levels, levels)."""
    levels = torch.arange(matrix.shape[-1], device=matrix.device, dtype=matrix.dtype)
    return (matrix * (levels[:, None] - levels[None, :]) ** 2).sum((1, 2))
