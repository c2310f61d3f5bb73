"""Noise power and low-contrast detectability on repeated scans of a phantom.

So that a blurrer is seen for what it is: PSNR rewards a filter that wipes out what is faint.
The phantom is the DIDSR low-contrast phantom (CC0): ten repeats at 10 % and at 100 % dose, with and
without four inserts, 256 x 256, a disk of 200 mm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trainers.evaluation.denoisers import Denoiser
from trainers.metrics.noise_power import mean_frequency, noise_power_spectrum

SPACING_MM = 200 / 232
"""The disk of 200 mm is 232 pixels wide."""

STORED_OFFSET = 1000.0
"""Stored value of water."""

INSERTS = ((96, 94), (95, 162), (160, 94), (164, 156))
"""Centres of the four inserts, (row, column)."""

HALF = 16
"""Half the side of a region round an insert, pixels."""

CHANNELS, CHANNEL_WIDTH = 6, 8.0
"""Laguerre-Gauss channels and their width in pixels."""

UNIFORM = (slice(112, 144), slice(112, 144))
"""A part without inserts, for the noise."""

Images = npt.NDArray[np.float32]


@dataclass(frozen=True)
class PhantomResult:
    """What one method does to the phantom.

    Attributes:
        method: its name.
        noise_hu: standard deviation over repeats in the uniform part.
        mean_frequency: of the noise power spectrum, cycles per mm; falls when noise is blurred.
        detectability: d' of a channelised Hotelling observer, mean over the inserts.
        spread: standard deviation of d' over bootstrap samples of the repeats.
        bias_hu: mean difference to the full-dose mean in the uniform part.
        frequency: of the noise power spectrum's rings, cycles per mm.
        power: of the rings, HU^2 mm^2.
    """

    method: str
    noise_hu: float
    mean_frequency: float
    detectability: float
    spread: float
    bias_hu: float
    frequency: tuple[float, ...]
    power: tuple[float, ...]


def read_phantom(folder: Path, dose: str, signal: str) -> Images:
    """Repeats (10, 256, 256) in HU; dose "010" or "100", signal "absent" or "present"."""
    stored = np.load(folder / f"fbp_dose{dose}_signal_{signal}.npz")["img"]
    return np.asarray(stored, dtype=np.float32) - STORED_OFFSET


def evaluate_phantom(folder: Path, method: str, denoise: Denoiser, dose: str) -> PhantomResult:
    """Denoise every repeat on its own (its neighbours are itself) and look at what is left."""
    absent, present = read_phantom(folder, dose, "absent"), read_phantom(folder, dose, "present")
    sigma = float(absent[:, *UNIFORM].std(axis=0, ddof=1).mean())
    cleaned = [
        np.stack([denoise(np.stack([image] * 3), sigma) for image in images])
        for images in (absent, present)
    ]
    truth = float(read_phantom(folder, "100", "absent")[:, *UNIFORM].mean())
    flat = cleaned[0][:, *UNIFORM]
    spectrum = noise_power_spectrum(flat - flat.mean(axis=0), SPACING_MM)
    index, spread = detectability(cleaned[0], cleaned[1])
    return PhantomResult(
        method,
        float(flat.std(axis=0, ddof=1).mean()),
        mean_frequency(spectrum),
        index,
        spread,
        float(flat.mean()) - truth,
        tuple(spectrum.frequency.tolist()),
        tuple(spectrum.power.tolist()),
    )


def detectability(absent: Images, present: Images) -> tuple[float, float]:
    """Mean d' of a channelised Hotelling observer over the inserts, and its bootstrap sd."""
    channels = laguerre_gauss()
    rng = np.random.default_rng(0)
    seen = [
        (_regions(absent, insert) @ channels, _regions(present, insert) @ channels)
        for insert in INSERTS
    ]
    index = float(np.mean([_observer(a, p) for a, p in seen]))
    draws = []
    for _ in range(100):
        one, other = rng.integers(len(absent), size=(2, len(absent)))
        draws.append(np.mean([_observer(a[one], p[other]) for a, p in seen]))
    return index, float(np.std(draws))


def laguerre_gauss() -> npt.NDArray[np.float64]:
    """Rotationally symmetric channels, (pixels of a region, CHANNELS), each of unit length."""
    down, right = np.mgrid[-HALF:HALF, -HALF:HALF]
    radius = 2 * math.pi * (down**2 + right**2) / CHANNEL_WIDTH**2 / 4
    columns = [
        np.exp(-radius / 2) * np.polynomial.laguerre.lagval(radius, [0] * n + [1])
        for n in range(CHANNELS)
    ]
    table = np.stack([column.ravel() for column in columns], axis=1)
    return np.asarray(table / np.linalg.norm(table, axis=0))


def _regions(images: Images, centre: tuple[int, int]) -> npt.NDArray[np.float64]:
    rows = slice(centre[0] - HALF, centre[0] + HALF)
    columns = slice(centre[1] - HALF, centre[1] + HALF)
    return images[:, rows, columns].reshape(len(images), -1).astype(np.float64)


def _observer(absent: npt.NDArray[np.float64], present: npt.NDArray[np.float64]) -> float:
    """Detectability from channel outputs (n, channels): Hotelling's, with a ridge."""
    difference = present.mean(axis=0) - absent.mean(axis=0)
    scatter = 0.5 * (np.cov(absent.T) + np.cov(present.T))
    ridge = 0.05 * np.trace(scatter) / len(scatter) * np.eye(len(scatter))
    return float(math.sqrt(difference @ np.linalg.solve(scatter + ridge, difference)))
