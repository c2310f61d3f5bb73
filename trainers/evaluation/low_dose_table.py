"""PSNR, SSIM and RMSE at several doses on series that no network has seen.

Low doses are inserted as in training, by the simulator calibrated to the series itself, with
seeds of their own. The noise of neighbouring slices is correlated as far as the slices overlap.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipelines.ldct_denoise.strength import blend, effective_strength
from trainers.evaluation.denoisers import RIVALS, STRENGTHS, Denoiser, unchanged
from trainers.metrics.intensity import psnr, rmse
from trainers.metrics.measurement import (
    ABDOMEN_WINDOW,
    ALL_HU,
    CHEST_WINDOW,
    EVERY_VOXEL,
    DataRange,
    Mask,
    Measurement,
)
from trainers.metrics.similarity import ssim
from trainers.readers.series import TrainingSeries
from trainers.simulation.low_dose import Scanner, inserted_noise
from trainers.simulation.noise_calibration import calibrate

WINDOWS: Mapping[str, DataRange] = {"abdomen": ABDOMEN_WINDOW, "chest": CHEST_WINDOW}
BODY_HU = -500.0

TUNED_ON = 256
"""Side, in pixels, of the middle of a slice on which a rival's strength is chosen."""

SEED = 2026

TOLD = "ours, told the dose"
"""The pipeline with its parameter `dose_share`, as rivals are told the noise."""

Image = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Case:
    """One slice at one dose.

    Attributes:
        low: (3, rows, columns), HU: the slice between its neighbours, with inserted noise.
        full: (rows, columns), HU, as acquired.
        body: (rows, columns), true inside the patient.
        sigma: standard deviation of the inserted noise in the body, HU.
    """

    low: Image
    full: Image
    body: npt.NDArray[np.bool_]
    sigma: float


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    series: str
    window: str
    dose: float
    method: str
    slices: int
    measurements: tuple[Measurement, ...]


def cases(
    series: TrainingSeries, dose: float, count: int, scanner: Scanner, seed: int = SEED
) -> list[Case]:
    """`count` slices spread over the series, at one dose."""
    last = len(series.slices) - 1
    centres = np.unique(np.linspace(1, last - 1, count).round().astype(int))
    return [_case(series, int(centre), dose, scanner, seed) for centre in centres]


def _case(series: TrainingSeries, centre: int, dose: float, scanner: Scanner, seed: int) -> Case:
    random = np.random.default_rng([seed, centre, round(1000 * dose)])
    full = series.slices[centre - 1 : centre + 2]
    noise = np.stack([inserted_noise(scanner, part, dose, random) for part in full])
    low = full + correlated(noise, series.shared_noise(1), series.shared_noise(2))
    body = full[1] > BODY_HU
    return Case(low, full[1], body, float(np.std((low[1] - full[1])[body])))


def correlated(noise: Image, next_to: float, two_apart: float) -> Image:
    """Make the independent noise of three slices correlated; the middle one stays as it is.

    Args:
        noise: (3, rows, columns), HU.
        next_to: correlation that is wanted between neighbours.
        two_apart: correlation that is wanted between the first and the last.
    """
    before, middle, after = noise
    own = math.sqrt(1 - next_to**2)
    shared = (two_apart - next_to**2) / own if own else 0.0
    rest = math.sqrt(max(0.0, 1 - next_to**2 - shared**2))
    first = next_to * middle + own * before
    return np.stack([first, middle, next_to * middle + shared * before + rest * after])


def table(
    series: TrainingSeries,
    window: str,
    doses: Sequence[float],
    count: int,
    ours: Denoiser,
    tick: Callable[[str], None] = lambda _: None,
    seed: int = SEED,
) -> list[Row]:
    """Every method at every dose on one series."""
    scanner = calibrate(series.slices[:: max(1, len(series.slices) // 6)], series.pixel_spacing_mm)
    rows = []
    for dose in doses:
        drawn = cases(series, dose, count, scanner, seed)
        methods: dict[str, Denoiser] = {"input": unchanged}
        for name in RIVALS:
            tick(f"{series.name} {dose:.0%}: strength of {name}")
            methods[name] = tuned(name, drawn[len(drawn) // 2], WINDOWS[window])
        methods["ours"] = ours
        methods[TOLD] = told_dose(ours, dose)
        for name, method in methods.items():
            tick(f"{series.name} {dose:.0%} {name}")
            found = [score(case, method(case.low, case.sigma), WINDOWS[window]) for case in drawn]
            means = tuple(mean_of(column) for column in zip(*found, strict=True))
            rows.append(Row(series.name, window, dose, name, len(drawn), means))
    return rows


def told_dose(ours: Denoiser, dose: float) -> Denoiser:
    """The network's output blended with its input as the pipeline does for a known dose."""

    def denoise(stack: Image, sigma: float) -> Image:
        strength = effective_strength(1.0, dose)
        return blend(unchanged(stack, sigma), ours(stack, sigma), strength)

    return denoise


def tuned(name: str, case: Case, window: DataRange) -> Denoiser:
    """A rival at the strength that is best by PSNR on the middle of this very case."""
    part = middle_of(case, TUNED_ON)
    candidates = [RIVALS[name](strength) for strength in STRENGTHS[name]]
    return max(
        candidates,
        key=lambda method: psnr(part.full, method(part.low, part.sigma), window, EVERY_VOXEL).value,
    )


def middle_of(case: Case, side: int) -> Case:
    """The middle of a case, at most (side, side) pixels; the noise is that of the whole."""
    rows, columns = case.full.shape
    top, left = max(0, (rows - side) // 2), max(0, (columns - side) // 2)
    window = slice(top, top + side), slice(left, left + side)
    return Case(case.low[:, *window], case.full[window], case.body[window], case.sigma)


def score(case: Case, output: Image, window: DataRange) -> tuple[Measurement, ...]:
    """PSNR and SSIM in the window over every pixel; RMSE in HU in the body, nothing clipped."""
    body = Mask(f"acquired image above {BODY_HU:.0f} HU", case.body)
    return (
        psnr(case.full, output, window, EVERY_VOXEL),
        ssim(case.full, output, window, EVERY_VOXEL),
        rmse(case.full, output, ALL_HU, body),
    )


def mean_of(measurements: Sequence[Measurement]) -> Measurement:
    """Mean over slices, with their standard deviation as spread."""
    values = [measurement.value for measurement in measurements]
    first = measurements[0]
    return Measurement(
        first.name,
        float(np.mean(values)),
        first.unit,
        first.data_range,
        first.mask,
        len(values),
        float(np.std(values)),
        first.settings,
    )
