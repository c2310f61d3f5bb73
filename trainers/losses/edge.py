"""Edge loss: Charbonnier distance between the Laplacians of two images."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - the name that everybody knows
from torch import Tensor

LAPLACIAN = ((0.0, 1.0, 0.0), (1.0, -4.0, 1.0), (0.0, 1.0, 0.0))


def laplacian(image: Tensor) -> Tensor:
    """The five-point Laplacian of every channel, mirrored at the border; same shape as `image`."""
    channels = image.shape[1]
    kernel = torch.tensor(LAPLACIAN, device=image.device, dtype=image.dtype)
    kernel = kernel.expand(channels, 1, 3, 3)
    return F.conv2d(F.pad(image, (1, 1, 1, 1), mode="reflect"), kernel, groups=channels)


def edge_loss(fake: Tensor, real: Tensor, softness: float = 1e-3) -> Tensor:
    """Mean of sqrt(d^2 + softness^2) - softness, d the difference of Laplacians; 0 when equal.

    Args:
        fake: images (batch, channels, rows, columns).
        real: images of the same shape.
        softness: differences well below it count by their square.
    """
    difference = laplacian(fake) - laplacian(real)
    return (torch.sqrt(difference**2 + softness**2) - softness).mean()
