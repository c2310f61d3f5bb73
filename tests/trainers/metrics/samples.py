"""Small images with known content."""

from __future__ import annotations

import numpy as np

from trainers.metrics.measurement import EVERY_VOXEL, DataRange, Floats, ImageSet, Mask

UNIT = DataRange(0, 1, "1")


def textured(n: int = 6, side: int = 48, seed: int = 0, roughness: float = 0.1) -> Floats:
    """Images (n, side, side) in [0, 1]: waves of random phase with noise."""
    source = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side] / side
    phases = source.uniform(0, 6, (n, 1, 1))
    waves = 0.5 + 0.2 * np.sin(9 * rows + phases) * np.cos(7 * columns + phases)
    made: Floats = np.clip(waves + roughness * source.standard_normal((n, side, side)), 0, 1)
    return made


def images(n: int = 6, side: int = 48, seed: int = 0, roughness: float = 0.1) -> ImageSet:
    return ImageSet(textured(n, side, seed, roughness), EVERY_VOXEL)


def left_half(shape: tuple[int, ...]) -> Mask:
    voxels = np.zeros(shape, dtype=bool)
    voxels[..., : shape[-1] // 2] = True
    return Mask("left half", voxels)
