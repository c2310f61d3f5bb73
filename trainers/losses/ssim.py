"""Structural similarity as a loss; the similarity itself is torchmetrics'."""

from __future__ import annotations

from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure


def ssim_loss(fake: Tensor, real: Tensor, low: float = -1.0, high: float = 1.0) -> Tensor:
    """One minus the mean SSIM (Gaussian window, sigma 1.5, 11 pixels): 0 when equal, 2 at worst.

    Args:
        fake: images (batch, channels, [slices,] rows, columns), at least 11 pixels a side.
        real: images of the same shape.
        low: the smallest value of the range; subtracted, for SSIM's brightness term starts at 0.
        high: the largest value of the range.
    """
    similarity = structural_similarity_index_measure(fake - low, real - low, data_range=high - low)
    if not isinstance(similarity, Tensor):
        raise TypeError("torchmetrics gave more than the similarity; check its version.")
    return 1 - similarity
