"""Low-dose CT for the one evaluation command: parts of series at simulated doses, or real pairs.

A place is a folder of DICOM or a NIfTI file with HU, `NAME=` before it or not; a folder with the
folders `low` and `full` in it is a real pair; `set:DIR:test` is a side of a gathered data set.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dicom_profiles.volume import Volume
from trainers.evaluation import low_dose_table
from trainers.evaluation.case import OURS, Case, Evaluation, Method, View, Voxels
from trainers.evaluation.denoisers import RIVALS
from trainers.evaluation.low_dose_table import BODY_HU, SEED, tuned
from trainers.evaluation.measures import by_slice, compared, mean_value
from trainers.evaluation.served import served
from trainers.metrics.intensity import psnr, rmse
from trainers.metrics.measurement import ABDOMEN_WINDOW, ALL_HU, CHEST_WINDOW, Mask
from trainers.metrics.similarity import ssim
from trainers.readers.data_set import PREFIX, read_ct_side
from trainers.readers.dicom import read_dicom, read_dicom_pair
from trainers.readers.nifti import read_nifti
from trainers.readers.series import TrainingSeries
from trainers.simulation.low_dose import Scanner, inserted_noise
from trainers.simulation.noise_calibration import calibrate

Image = npt.NDArray[np.float32]

TISSUES: Mapping[str, tuple[float, float]] = {
    "lung": (-950, -700),
    "fat": (-130, -60),
    "soft tissue": (0, 120),
    "bone": (200, 1500),
}
"""Districts: acquired values between these limits, HU."""

DOSES = (0.1, 0.25, 0.5)


def read(place: str) -> TrainingSeries:
    """A NIfTI file or a folder of DICOM, with `name=` before it or not."""
    name, _, rest = place.rpartition("=")
    path = Path(rest)
    if (path / "low").is_dir() and (path / "full").is_dir():
        series = replace(read_dicom_pair(path / "low", path / "full"), name=path.name)
    else:
        series = read_nifti(path) if path.is_file() else read_dicom(path)
    return replace(series, name=name, patient=name) if name else series


def every_series(place: str) -> list[TrainingSeries]:
    """All series of a side of a gathered data set, or the one of another place."""
    return read_ct_side(place) if place.startswith(PREFIX) else [read(place)]


def cases(place: str, options: argparse.Namespace) -> Iterator[Case]:
    """The middle slices of every series: its own low dose, or each simulated dose."""
    for series in every_series(place):
        yield from _cases_of(series, options)


def _cases_of(series: TrainingSeries, options: argparse.Namespace) -> Iterator[Case]:
    full = middle(series.slices, options.slices)
    if series.low is not None:
        yield _case(series, middle(series.low, options.slices), full, "real low dose")
        return
    some = series.slices[:: max(1, len(series.slices) // 6)]
    scanner = calibrate(some, series.pixel_spacing_mm)
    for dose in options.doses:
        random = np.random.default_rng([options.seed, round(1000 * dose)])
        low = full + stack_noise(scanner, series, full, dose, random)
        yield _case(series, low, full, f"{dose:.0%} dose, simulated")


def middle(slices: Image, count: int) -> Image:
    """The `count` slices in the middle of (n, rows, columns)."""
    start = max(0, (len(slices) - count) // 2)
    return slices[start : start + count]


def stack_noise(
    scanner: Scanner,
    series: TrainingSeries,
    full: Image,
    dose: float,
    random: np.random.Generator,
) -> Image:
    """Noise of a dose for (n, rows, columns); correlated as far as the slices overlap."""
    shared = [series.shared_noise(apart) if apart else 1.0 for apart in range(len(full))]
    apart = np.abs(np.subtract.outer(np.arange(len(full)), np.arange(len(full))))
    mixing = np.linalg.cholesky(np.array(shared)[apart] + 1e-9 * np.eye(len(full)))
    own = np.stack([inserted_noise(scanner, image, dose, random) for image in full])
    return np.asarray(np.tensordot(mixing, own, axes=1), dtype=np.float32)


def _case(series: TrainingSeries, noisy: Image, full: Image, group: str) -> Case:
    spacing = (series.slice_spacing_mm, series.pixel_spacing_mm, series.pixel_spacing_mm, 1.0)
    truth = Volume(full, np.diag(spacing)[[2, 1, 0, 3]], "HU")  # slices go along z
    body = full > BODY_HU
    masks = {"body": Mask(f"acquired image above {BODY_HU:.0f} HU", body)}
    masks |= {
        name: Mask(f"acquired image {low:g} to {high:g} HU", (full > low) & (full < high))
        for name, (low, high) in TISSUES.items()
    }
    inputs = {"CT": replace(truth, voxels=noisy)}
    # outputs that are kept are named after patient and case; a patient may have several series
    name = group if series.name == series.patient else f"{series.name}, {group}"
    return Case(series.patient, name, inputs, truth, masks, group=group, data=series.name)


def rival(name: str) -> Method:
    """A rival slice by slice; its strength is the best by PSNR on the middle slice's middle."""

    def denoise(case: Case) -> Voxels:
        low, full = case.inputs["CT"].voxels, case.truth.voxels
        body = case.masks["body"].inside(full)
        sigma = float(np.std((low - full)[body]))
        stacks = [low[np.clip([k - 1, k, k + 1], 0, len(low) - 1)] for k in range(len(low))]
        centre = len(low) // 2
        seen = low_dose_table.Case(stacks[centre], full[centre], body[centre], sigma)
        method = tuned(name, seen, ABDOMEN_WINDOW)
        return np.stack([method(stack, sigma) for stack in stacks])

    return denoise


def methods(options: argparse.Namespace) -> dict[str, Method]:
    """The input, the rivals, ours."""
    rivals = {f"{name}, tuned on the truth": rival(name) for name in RIVALS}
    return {
        "input": lambda case: case.inputs["CT"].voxels,
        **rivals,
        OURS: served("ldct_denoise"),
    }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Doses, slices and the seed of the noise."""
    parser.add_argument("--doses", type=float, nargs="+", default=list(DOSES))
    parser.add_argument("--slices", type=int, default=12, help="from the middle (default 12)")
    parser.add_argument("--seed", type=int, default=SEED, help=f"of the noise (default {SEED})")


EVALUATION = Evaluation(
    pipeline="ldct_denoise",
    title="Low-dose CT denoising",
    cases=cases,
    methods=methods,
    measures=(
        compared(rmse, ALL_HU, "lower"),
        compared(psnr, ABDOMEN_WINDOW, "higher", "PSNR, abdomen window"),
        compared(psnr, CHEST_WINDOW, "higher", "PSNR, chest window"),
        compared(by_slice(ssim), ABDOMEN_WINDOW, "higher", "SSIM, abdomen window", "whole"),
    ),
    view=View(-150, 250, 100, inputs={"CT": (-150, 250)}),
    quantities=(mean_value("HU"),),
    add_arguments=add_arguments,
    notes=(
        "Where a dose is called simulated, the noise of that share of the series' own dose was "
        "inserted by the simulator that docs/ldct_denoise_report.md describes; the acquired image "
        "is the truth, its own noise included.",
        "The rivals are told the standard deviation of the noise and get the strength that is "
        "best on the truth.",
    ),
)
