"""CT from MR for the one evaluation command: registered pairs, simulated dual echoes.

A place is a source of pairs as `trainers.mr_to_ct` takes it (`sts:FOLDER=STS_004`, `simulated:CT`,
`prepared:FOLDER`); a gathered data set holds none. `--inputs T1` or `--inputs IP OOP` says which
model is measured; the trivial rivals learn from the source `--fitted-to`, which holds none of the
patients that are measured.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from dicom_profiles.volume import Volume
from pipelines.mr_to_ct.networks import build
from pipelines.mr_to_ct.pipeline import NAME
from pipelines.mr_to_ct.scaling import bright_end, scaled
from trainers.evaluation.case import (
    OURS,
    Case,
    Evaluation,
    EvaluationError,
    Measure,
    Method,
    View,
    Voxels,
)
from trainers.evaluation.command import add_run_option, evaluate, runs_of
from trainers.evaluation.measures import compared, mean_value, overlap
from trainers.evaluation.served import served
from trainers.metrics.intensity import mae, psnr
from trainers.metrics.measurement import ALL_HU, CT_RANGE, Mask, Measurement
from trainers.metrics.segmentation import dice
from trainers.metrics.synthrad import ms_ssim
from trainers.mr_ct.couch import without_couch
from trainers.mr_ct.patches import every_slice, stack_of
from trainers.mr_ct.sources import read_source
from trainers.publishing.mr_to_ct import read_run
from trainers.readers.mr_ct import MrCtSeries, Slices

BODY_HU = -500.0
"""CT above this is the body; the couch is taken out before."""

TISSUES = {"fat": (-150.0, -40.0), "soft tissue": (-40.0, 140.0), "bone": (200.0, 3071.0)}
"""Districts: true values between these limits, HU."""

BINS = np.linspace(0.0, 1.5, 61)
"""Of the look-up table: intensities in multiples of the bright end."""

DRAWN = {"IP", "OOP"}
"""What `trainers.simulation.dual_echo` makes; no real pair with a CT on their grid is known."""

SEED = 5
"""Of what is simulated for a measurement; training uses others."""


def cases(place: str, options: argparse.Namespace) -> Iterator[Case]:
    """One case a patient, or a simulation."""
    data = "Soft-tissue-Sarcoma" if "sts:" in place else "registered pairs"
    for series in read_source(place, SEED):
        yield case(series, tuple(options.inputs), data)


def ct_of(series: MrCtSeries, inputs: Sequence[str]) -> Slices:
    """The CT of a pair that has these inputs, without its couch.

    Raises:
        EvaluationError: it has not, or is no pair.
    """
    if series.ct is None or not set(inputs) <= set(series.mr):
        got = [*series.mr, "CT"] if series.ct is not None else [*series.mr]
        raise EvaluationError(
            f"MR ({', '.join(inputs)}) and CT on one grid are wanted of {series.patient}, got "
            f"{', '.join(got)}; take a source of registered or simulated pairs (sts:, prepared:, "
            "simulated:), or other --inputs."
        )
    return without_couch(series.ct)


def case(series: MrCtSeries, inputs: tuple[str, ...], data: str) -> Case:
    """A pair with the body, its tissues, and what was imaged by the MR.

    Args:
        series: of one patient, or of one drawing.
        inputs: of the model.
        data: what a real pair is from.
    """
    ct = ct_of(series, inputs)
    affine = np.diag((series.slice_mm, series.pixel_mm, series.pixel_mm, 1.0))[[2, 1, 0, 3]]
    truth = Volume(ct, affine, "HU")
    body = ct > BODY_HU
    masks = {"body": Mask(f"true CT above {BODY_HU:.0f} HU, without couch", body)}
    imaged = body & (series.mr[inputs[0]] > 0)
    masks["body that the MR shows"] = Mask("the same where the MR is not padded by zeros", imaged)
    for name, (low, high) in TISSUES.items():
        inside = (ct > low) & (ct < high)
        masks[name] = Mask(f"true CT {low:.0f} to {high:.0f} HU", inside)
    volumes = {key: Volume(series.mr[key], affine, "1") for key in inputs}
    patient, group = series.patient, "real"
    if set(series.mr) == DRAWN:  # drawings of one CT are one patient
        patient, group = patient.rpartition("-")[0] or patient, "simulated"
        data = f"dual echo simulated from {patient}"
    return Case(patient, series.patient, volumes, truth, masks, group=group, data=data)


def methods(options: argparse.Namespace) -> dict[str, Method]:
    """The best constant, the best look-up table, models given less, ours."""
    inputs = tuple(options.inputs)
    found: dict[str, Method] = {
        "constant": lambda one: np.full(one.truth.voxels.shape, fitted(options)[0], np.float32),
        "look-up table": lambda one: looked_up(one, options),
    }
    found |= {name: by_run(folder) for name, folder in runs_of(options).items()}
    if inputs == ("IP", "OOP"):
        found["in-phase model"] = served(NAME, ("IP",))
    return {**found, OURS: served(NAME, inputs)}


@lru_cache(maxsize=2)
def _fitted(source: str, key: str) -> tuple[float, npt.NDArray[np.float32]]:
    """Median of the body, and of the body in each bin of intensity."""
    intensities, values = [], []
    for series in read_source(source, SEED):
        ct = ct_of(series, [key])
        body = (ct > BODY_HU)[:, ::3, ::3]
        image = scaled(series.mr[key], bright_end(series.mr[key]))
        intensities.append(image[:, ::3, ::3][body])
        values.append(ct[:, ::3, ::3][body])
    if not values:
        raise EvaluationError(f"No pair was found in --fitted-to {source}; name another source.")
    seen, hu = np.digitize(np.concatenate(intensities), BINS), np.concatenate(values)
    constant = float(np.median(hu))
    table = [np.median(hu[seen == i]) if (seen == i).any() else constant for i in range(62)]
    return constant, np.asarray(table, np.float32)


def fitted(options: argparse.Namespace) -> tuple[float, npt.NDArray[np.float32]]:
    """The trivial rivals, learnt from patients that are not measured."""
    return _fitted(options.fitted_to, options.inputs[0])


def looked_up(one: Case, options: argparse.Namespace) -> Voxels:
    """CT by the intensity of the first modality alone."""
    image = one.inputs[options.inputs[0]].voxels
    table = fitted(options)[1]
    return np.asarray(table[np.digitize(scaled(image, bright_end(image)), BINS)], np.float32)


def by_run(folder: Path) -> Method:
    """A model that is not shipped, by the folder of its run."""

    def translate(one: Case) -> Voxels:
        design, tensors = read_run(folder)
        network = build(design).eval()
        network.load_state_dict(tensors)
        images = {key: one.inputs[key].voxels for key in design.inputs}
        spacing = float(np.linalg.norm(one.truth.affine[:3, 2]))
        series = MrCtSeries(one.patient, images, one.truth.voxels, spacing, 1.0)
        stack = stack_of(series, design.inputs, spacing)
        with torch.inference_mode():
            slices = every_slice(stack, design.context)
            made = [network(planes)[0, 0].numpy() for planes, _ in slices]
        return np.stack(made)

    return translate


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which model, and what the rivals learn from."""
    parser.add_argument("--inputs", nargs="+", default=["T1"], help="T1; IP OOP; IP")
    parser.add_argument("--fitted-to", required=True, metavar="SOURCE", help="of trivial rivals")
    add_run_option(parser)


def _dice_of_air(one: Case, output: Voxels, mask: Mask) -> Measurement:
    """Dice of all that is air, the surroundings included: the body holds next to none."""
    structure = f"air, below {BODY_HU:.0f} HU"
    return dice(one.truth.voxels < BODY_HU, output < BODY_HU, structure)


AIR = Measure("Dice, air, everywhere", _dice_of_air, "higher", "whole")

EVALUATION = Evaluation(
    pipeline=NAME,
    title="CT from MR",
    cases=cases,
    methods=methods,
    measures=(
        compared(mae, ALL_HU, "lower", "MAE"),
        compared(psnr, CT_RANGE, "higher", "PSNR", "whole"),
        compared(ms_ssim, CT_RANGE, "higher", "MS-SSIM", "whole"),
        overlap("bone, above 200 HU", lambda hu: np.asarray(hu > 200.0)),
        AIR,
    ),
    view=View(-200, 400, 300),
    quantities=(mean_value("HU"),),
    add_arguments=add_arguments,
    notes=(
        "MAE, PSNR and MS-SSIM are SynthRAD 2025's, on the MR's grid, in the body of the true CT; "
        "its couch counts as air.",
        "Simulated dual echoes are made of the very CT that they are compared with, by "
        "trainers/simulation/dual_echo.py; they say what inputs can tell, not how real MR fares.",
        "The trivial rivals know the medians of patients that are not measured.",
    ),
)

if __name__ == "__main__":
    raise SystemExit(evaluate(EVALUATION))
