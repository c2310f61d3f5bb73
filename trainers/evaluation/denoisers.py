"""The network and its rivals, all with one signature.

Rivals are given what a hospital does not have: the true standard deviation of the noise, and the
best of several strengths, chosen by PSNR on a part of a slice that is then scored.
BM3D is not among them: the library that everybody uses (`bm3d`) is licensed for non-commercial
use only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file
from skimage.restoration import denoise_bilateral, denoise_nl_means

from pipelines.ldct_denoise.network import DenoisingNetwork

Image = npt.NDArray[np.float32]

Denoiser = Callable[[Image, float], Image]
"""(3, rows, columns) HU, a slice between its neighbours, and the noise's standard deviation in HU,
to (rows, columns) HU."""

SEEN_HU = (-1024.0, 1500.0)
"""Rivals work on this range: a tooth would otherwise set the scale of a lung."""

STRENGTHS: Mapping[str, tuple[float, ...]] = {
    "bilateral": (0.8, 1.5, 2.5, 4.0),
    "non-local means": (0.3, 0.5, 0.7, 0.9, 1.2),
}
"""Strengths that are tried, as multiples of the noise's standard deviation."""


def unchanged(stack: Image, sigma: float) -> Image:
    """The input itself: the trivial baseline."""
    return np.asarray(stack[len(stack) // 2])


def bilateral(strength: float) -> Denoiser:
    """Bilateral filter, spatial sigma 1.5 pixels (scikit-image)."""

    def denoise(stack: Image, sigma: float) -> Image:
        image = _scaled(stack)
        shown = denoise_bilateral(
            image, win_size=9, sigma_color=strength * sigma / _extent(), sigma_spatial=1.5
        )
        return _unscaled(shown)

    return denoise


def non_local_means(strength: float) -> Denoiser:
    """Non-local means, patches of 5, searched within 9 pixels (scikit-image)."""

    def denoise(stack: Image, sigma: float) -> Image:
        noise = sigma / _extent()
        shown = denoise_nl_means(
            _scaled(stack),
            patch_size=5,
            patch_distance=9,
            h=strength * noise,
            sigma=noise,
            fast_mode=True,
        )
        return _unscaled(shown)

    return denoise


RIVALS: Mapping[str, Callable[[float], Denoiser]] = {
    "bilateral": bilateral,
    "non-local means": non_local_means,
}


def network(weights: Path) -> Denoiser:
    """The network as served: eager torch, fp32, on the CPU."""
    model = DenoisingNetwork()
    model.load_state_dict(load_file(weights))
    model.eval()

    @torch.inference_mode()
    def denoise(stack: Image, sigma: float) -> Image:
        output: Image = model(torch.from_numpy(stack[None]))[0, 0].numpy()
        return output

    return denoise


def _extent() -> float:
    return SEEN_HU[1] - SEEN_HU[0]


def _scaled(stack: Image) -> Image:
    image = np.clip(stack[len(stack) // 2], *SEEN_HU)
    return np.asarray((image - SEEN_HU[0]) / _extent(), dtype=np.float32)


def _unscaled(image: npt.NDArray[np.floating]) -> Image:
    return np.asarray(image * _extent() + SEEN_HU[0], dtype=np.float32)
