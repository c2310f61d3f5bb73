"""Against the faint grid that enlarging layers draw: the places of its cells must not differ."""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812 - the name that everybody knows
from torch import Tensor

WINDOW = 8
"""Cells along a side over which errors are averaged: what is left of chance errors is small."""


def grid_loss(error: Tensor, period: int, most: float) -> Tensor:
    """Mean size by which the error at a place of the grid's cell is off the mean of all places.

    A layer that enlarges by two treats even and odd pixels by different weights; two of them make
    a grid of four pixels. The eye finds it in even tissue long before a mean error does.

    Args:
        error: (batch, 1, rows, columns), made less true, 0 where nothing is asked; rows and
            columns are multiples of `period`.
        period: pixels along a side of a cell.
        most: larger errors count as this much: the border of a bone is no grid.

    Returns:
        In the unit of the error; 0 where no grid is.
    """
    places = F.pixel_unshuffle(error.clamp(-most, most), period)  # (batch, period^2, cells, cells)
    side = min(WINDOW, *places.shape[2:])
    means = F.avg_pool2d(places, side, stride=max(1, side // 2))
    return (means - means.mean(1, keepdim=True)).abs().mean()
