"""Stacks of acquired slices with noise of lower doses ready to be inserted, drawn as patches.

Reconstructing noise for every patch would cost more than the training step. So each slice gets a
few noise images once, at random doses and with jittered kernels; a patch takes one, scaled to the
dose that is wanted (quantum noise grows with sqrt(1 / dose - 1)).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trainers.readers.series import TrainingSeries
from trainers.simulation.low_dose import Scanner, inserted_noise, project, with_jitter
from trainers.simulation.noise_calibration import calibrate

DOSES = (0.08, 0.6)
"""Doses that are drawn, uniform in their logarithm, when it is not the usual one."""

USUAL_DOSE = 0.25
USUAL_SHARE = 0.5
UNCHANGED_SHARE = 0.03
"""Shares of patches at a quarter dose, and without inserted noise (do no harm)."""

REPEATED_SHARE = 0.15
"""Share of patches whose neighbours are the slice itself: single slices must work too."""

CORRELATED_SHARE = 0.5
"""Share of patches whose neighbours share part of the noise, as overlapping slices do."""


BODY_HU, LEAST_BODY, TRIES = -500, 0.3, 5
"""A patch is drawn again, a few times, when less of it than this share is patient."""


@dataclass(frozen=True)
class Stack:
    """Slices of one series, with their noise.

    Attributes:
        name: of the series and the thickness made of it.
        slices: (n, rows, columns) float16-safe int16, HU.
        centres: indices that have noise.
        noise: (len(centres), k, rows, columns) float16, HU at sqrt(1 / dose - 1) = 1.
        weight: how often it is drawn.
    """

    name: str
    slices: npt.NDArray[np.int16]
    centres: npt.NDArray[np.int64]
    noise: npt.NDArray[np.float16]
    weight: float


@dataclass(frozen=True)
class Patches:
    """One batch.

    Attributes:
        low: (B, 3, size, size) float32, HU: a slice between its neighbours, with inserted noise.
        full: (B, 1, size, size) float32, HU: the slice as acquired.
        inserted_sigma: (B,) float32, HU: standard deviation of what was inserted.
    """

    low: npt.NDArray[np.float32]
    full: npt.NDArray[np.float32]
    inserted_sigma: npt.NDArray[np.float32]


def thickened(series: TrainingSeries, thickness: int, step: int) -> TrainingSeries:
    """Mean of `thickness` neighbouring slices at every `step`: a thicker, less noisy series."""
    starts = range(0, len(series.slices) - thickness + 1, step)
    slices = np.stack([series.slices[s : s + thickness].mean(axis=0) for s in starts])
    return TrainingSeries(
        f"{series.name} x{thickness}",
        series.patient,
        slices,
        series.pixel_spacing_mm,
        series.slice_spacing_mm * step,
        slice_thickness_mm=series.slice_spacing_mm * thickness,
    )


def build_stack(
    series: TrainingSeries,
    *,
    every: int,
    draws: int,
    weight: float,
    random: np.random.Generator,
    tick: Callable[[], None] = lambda: None,
) -> Stack:
    """Calibrate a scanner to the series and draw noise for every `every`-th slice.

    Args:
        series: acquired slices.
        every: noise for each slice whose index is a multiple of this.
        draws: noise images a slice.
        weight: how often the stack is drawn.
        random: source of randomness.
        tick: called after each slice.
    """
    some = series.slices[:: max(1, len(series.slices) // 12)]
    scanner = calibrate(some, series.pixel_spacing_mm)
    centres = np.arange(0, len(series.slices), every)
    noise = np.empty((len(centres), draws, *series.slices.shape[1:]), np.float16)
    for place, centre in enumerate(centres):
        noise[place] = _draws(scanner, series.slices[centre], draws, random)
        tick()
    return Stack(series.name, _stored(series), centres, noise, weight)


def save_stack(stack: Stack, path: Path) -> None:
    """Keep a stack, so that a run that goes on need not make its noise again."""
    part = path.with_suffix(".part.npz")
    np.savez(
        part, slices=stack.slices, centres=stack.centres, noise=stack.noise, weight=stack.weight
    )
    part.rename(path)


def load_stack(path: Path) -> Stack:
    """A stack that `save_stack` kept."""
    kept = np.load(path)
    weight = float(kept["weight"])
    return Stack(path.stem, kept["slices"], kept["centres"], kept["noise"], weight)


def fits(stack: Stack, series: TrainingSeries, every: int, draws: int) -> bool:
    """Whether a stack that was kept is what `build_stack` would make of the series."""
    return (
        stack.noise.shape[1] == draws
        and np.array_equal(stack.centres, np.arange(0, len(series.slices), every))
        and np.array_equal(stack.slices, _stored(series))
    )


def _stored(series: TrainingSeries) -> npt.NDArray[np.int16]:
    return np.rint(series.slices).clip(-1024, 32767).astype(np.int16)


def _draws(
    scanner: Scanner, slice_hu: npt.NDArray[np.float32], draws: int, random: np.random.Generator
) -> npt.NDArray[np.float16]:
    integrals = project(scanner, slice_hu)
    images = []
    for _ in range(draws):
        dose = draw_dose(random)
        image = inserted_noise(with_jitter(scanner, random), slice_hu, dose, random, integrals)
        images.append(image / math.sqrt(1 / dose - 1))
    return np.stack(images).astype(np.float16)


def draw_dose(random: np.random.Generator) -> float:
    """A quarter for half of the draws, else uniform in the logarithm over `DOSES`."""
    if random.random() < USUAL_SHARE:
        return USUAL_DOSE
    return float(np.exp(random.uniform(*np.log(DOSES))))


def draw_patches(
    stacks: Sequence[Stack], count: int, size: int, random: np.random.Generator
) -> Patches:
    """A batch of patches of (size, size) pixels, flipped and turned at random."""
    weights = np.array([stack.weight for stack in stacks])
    chosen = random.choice(len(stacks), count, p=weights / weights.sum())
    drawn = [_draw_patch(stacks[index], size, random) for index in chosen]
    return Patches(
        np.stack([low for low, _, _ in drawn]),
        np.stack([full for _, full, _ in drawn])[:, None],
        np.array([sigma for _, _, sigma in drawn], np.float32),
    )


def _draw_patch(
    stack: Stack, size: int, random: np.random.Generator
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], float]:
    """(3, size, size) low, (size, size) full, standard deviation of the inserted noise."""
    place = int(random.integers(len(stack.centres)))
    centre, last = int(stack.centres[place]), len(stack.slices) - 1
    neighbours = (max(centre - 1, 0), centre, min(centre + 1, last))
    if random.random() < REPEATED_SHARE:
        neighbours = (centre, centre, centre)
    window = _window(stack.slices[centre], size, random)
    full = np.stack([_cut(stack.slices[index], window, size) for index in neighbours])
    low = full + _stack_noise(stack.noise[place], window, size, neighbours, random)
    low, full = _turned(low, full, random)
    return low, full[1], float(np.std(low[1] - full[1]))


def _stack_noise(
    draws: npt.NDArray[np.float16],
    window: tuple[slice, slice],
    size: int,
    neighbours: tuple[int, int, int],
    random: np.random.Generator,
) -> npt.NDArray[np.float32]:
    """Noise of three slices, (3, size, size) HU, at one dose; equal slices get equal noise."""
    if random.random() < UNCHANGED_SHARE:
        return np.zeros((3, size, size), np.float32)
    before, middle, after = random.permutation(len(draws))[:3]
    noise = np.stack([_cut(draws[index], window, size, 0.0) for index in (before, middle, after)])
    shared = float(random.uniform(0.0, 0.7)) if random.random() < CORRELATED_SHARE else 0.0
    for side in (0, 2):
        share = 1.0 if neighbours[side] == neighbours[1] else shared
        noise[side] = share * noise[1] + math.sqrt(1 - share**2) * noise[side]
    dose = draw_dose(random)
    return np.asarray(noise * math.sqrt(1 / dose - 1), dtype=np.float32)


def _window(
    image: npt.NDArray[np.int16], size: int, random: np.random.Generator
) -> tuple[slice, slice]:
    """A place at random, preferably in the patient."""
    window = slice(0, size), slice(0, size)
    for _ in range(TRIES):
        top, left = (int(random.integers(max(side - size, 0) + 1)) for side in image.shape)
        window = slice(top, top + size), slice(left, left + size)
        if (image[window] > BODY_HU).mean() > LEAST_BODY:
            break
    return window


def _cut(
    image: npt.NDArray[np.generic], window: tuple[slice, slice], size: int, fill: float = -1000.0
) -> npt.NDArray[np.float32]:
    part = image[window].astype(np.float32)
    missing = [(0, size - length) for length in part.shape]
    return np.pad(part, missing, constant_values=fill) if part.shape != (size, size) else part


def _turned(
    low: npt.NDArray[np.float32], full: npt.NDArray[np.float32], random: np.random.Generator
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    quarter, flip, reverse = int(random.integers(4)), random.random() < 0.5, random.random() < 0.5
    pair = [np.rot90(image, quarter, axes=(1, 2)) for image in (low, full)]
    if flip:
        pair = [image[:, :, ::-1] for image in pair]
    if reverse:
        pair = [image[::-1] for image in pair]
    return np.ascontiguousarray(pair[0]), np.ascontiguousarray(pair[1])
