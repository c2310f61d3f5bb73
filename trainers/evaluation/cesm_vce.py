"""Virtual contrast for the one evaluation command: simulated pairs, pairs of CDD-CESM.

A place is a source as the trainer takes it (`simulated:COUNT`, `null:COUNT`, `cdd:ROOT`,
`excerpt:FOLDER`, `set:DIR:test`). `--fold PATIENT=WEIGHTS` measures the pairs of one patient with
weights that were trained without that patient; all others are measured with the weights that are
shipped. `--run NAME=FOLDER` measures a network of `trainers.cesm_vce` beside them: its own image,
as the papers measure theirs, without the detail that serving carries over from the low-energy
image.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from dicom_profiles.volume import Volume
from pipelines import catalog
from pipelines.cesm_vce.framing import SIZE, framed, resized
from pipelines.cesm_vce.pipeline import INPUT, NAME, VirtualContrast, load, network_of
from pipelines.cesm_vce.quality import read_calibration
from pipelines.engines.torch_engine import TorchEngine
from trainers.cesm.generators import read_generator
from trainers.cesm.pairs import READERS, Pairs, read_source, seen_of, simulated
from trainers.evaluation.case import OURS, Case, Evaluation, EvaluationError, Method, View, Voxels
from trainers.evaluation.command import add_run_option, evaluate, runs_of
from trainers.evaluation.measures import by_slice, compared, mean_value
from trainers.metrics.intensity import mae, psnr, rmse
from trainers.metrics.measurement import Array, DataRange, Mask, Measurement
from trainers.metrics.similarity import ssim
from trainers.metrics.visual_information import vif
from trainers.readers.cdd_cesm import MammogramPair
from trainers.training.run import WEIGHTS
from trainers.training.sources import count_of

DISPLAY = DataRange(0.0, 1.0, "1")
"""Display values of the recombined image."""

UNSEEN_SEED = 9
"""Of simulated pairs that are measured; training uses others. Its validation uses this one, too:
who has chosen by it measures with another."""


def cases(place: str, options: argparse.Namespace) -> Iterator[Case]:
    """One case a pair, at the size of its images."""
    kind, _, rest = place.partition(":")
    if kind in ("simulated", "null"):
        group = "simulated" if kind == "simulated" else "simulated, iodine independent"
        count = count_of(rest, place, f"{kind}:60")
        for pair, _enhancement in simulated(count, kind == "null", options.seed):
            yield case(pair, group, "dual-energy simulator")
        return
    if kind not in READERS:
        raise EvaluationError(
            f"A place is simulated:, null:, cdd:, excerpt: or set:, got {place!r}."
        )
    data = "gathered data set" if kind == "set" else "CDD-CESM"
    for pair in READERS[kind](Path(rest)):
        yield case(pair, "real", data)


def case(pair: MammogramPair, group: str, data: str) -> Case:
    """A pair with the breast as a district and each finding as a lesion."""
    truth = Volume(pair.recombined[None], np.eye(4), "1")
    frame = framed(pair.low_energy)
    side = frame.frame.side
    breast = frame.frame.cut(resized(frame.breast.astype(np.float32), side)) > 0.5
    everything = np.ones(truth.voxels.shape, bool)
    masks = {
        "image": Mask("every pixel", everything),
        "breast": Mask("breast in the low-energy image", breast[None]),
    }
    lesions = {}
    if pair.lesions is not None and pair.lesions.any():
        lesions = {"findings": Mask("outlined or simulated findings", pair.lesions[None])}
        beside = breast[None] & ~pair.lesions[None]
        masks["breast beside findings"] = Mask("breast in the low-energy image, no finding", beside)
    inputs = {INPUT: replace(truth, voxels=pair.low_energy[None])}
    return Case(pair.patient, pair.name, inputs, truth, masks, lesions, group, data)


def methods(options: argparse.Namespace) -> dict[str, Method]:
    """The low-energy image, the mean image, the mean value in the breast, ours."""
    return {
        "low-energy image": lambda one: one.inputs[INPUT].voxels,
        "mean image": lambda one: mean_image(typical(one, options), one),
        "mean value in the breast": lambda one: mean_value_in_breast(typical(one, options), one),
        **{name: by_run(folder) for name, folder in runs_of(options).items()},
        OURS: lambda one: scanner_for(one.patient, options)(one.inputs).volume.voxels,
    }


def typical(one: Case, options: argparse.Namespace) -> Pairs:
    """Pairs of the case's kind, this patient's left out, for the mean image."""
    source = options.mean_real if one.group == "real" else options.mean_simulated
    return kept_source(source, options.kept).of([one.patient], without=True)


@lru_cache(maxsize=4)
def kept_source(source: str, kept: Path) -> Pairs:
    """Prepared pairs."""
    return read_source(source, kept)


def mean_image(pairs: Pairs, one: Case) -> Voxels:
    """The mean recombined image, chest walls laid together, on the case's grid."""
    mammogram = one.inputs[INPUT].voxels[0]
    frame = framed(mammogram).frame
    walls = [framed(low).frame.chest_wall for low in pairs.low]
    turned = [
        image if wall == frame.chest_wall else image[:, ::-1]
        for image, wall in zip(pairs.recombined, walls, strict=True)
    ]
    mean: npt.NDArray[np.float32] = np.mean(turned, axis=0, dtype=np.float32)
    return frame.cut(resized(mean, frame.side))[None]


def mean_value_in_breast(pairs: Pairs, one: Case) -> Voxels:
    """The mean recombined value of breasts wherever this breast is, 0 elsewhere."""
    level = float(pairs.recombined[pairs.low > 0.02].mean())
    breast = one.masks["breast"].inside(one.truth.voxels)
    return np.where(breast, np.float32(level), np.float32(0.0))


def by_run(folder: Path) -> Method:
    """A network that is not shipped, by the folder of its run."""
    network, size = read_generator(folder / WEIGHTS)

    def drawn(one: Case) -> Voxels:
        mammogram = one.inputs[INPUT].voxels[0]
        put = framed(mammogram)
        low = np.where(put.breast, resized(put.frame.pad(mammogram), SIZE), np.float32(0.0))
        seen = torch.from_numpy(seen_of(resized(low, size.square)))
        with torch.inference_mode():
            made = network(seen[None, None])[0, 0].numpy()
        full = put.frame.cut(resized(made, put.frame.side))
        return np.where(one.masks["breast"].inside(one.truth.voxels), full[None], np.float32(0.0))

    return drawn


def scanner_for(patient: str, options: argparse.Namespace) -> VirtualContrast:
    """The model that has not seen the patient."""
    folds = dict(fold.split("=", 1) for fold in options.fold)
    return _scanner(folds.get(patient, ""))


@lru_cache(maxsize=8)
def _scanner(weights: str) -> VirtualContrast:
    if not weights:
        return load()
    content = Path(weights).read_bytes()
    calibration = read_calibration(catalog.folder(NAME))
    return VirtualContrast(catalog.card(NAME), TorchEngine(network_of(content), 0), calibration)


def mse(real: Array, synthetic: Array, data_range: DataRange, mask: Mask) -> Measurement:
    """Mean square error."""
    root = rmse(real, synthetic, data_range, mask)
    return replace(root, name="MSE", value=root.value**2)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """More networks, folds, and what the mean image is made of."""
    add_run_option(parser)
    parser.add_argument("--seed", type=int, default=UNSEEN_SEED, help="of simulated pairs")
    parser.add_argument("--fold", nargs="*", default=[], metavar="PATIENT=WEIGHTS")
    parser.add_argument("--mean-simulated", default="simulated:100", metavar="SOURCE")
    parser.add_argument("--mean-real", default="simulated:100", metavar="SOURCE")
    parser.add_argument("--kept", type=Path, default=Path("var/cesm_pairs"), metavar="FOLDER")


EVALUATION = Evaluation(
    pipeline=NAME,
    title="Virtual contrast from low-energy mammograms",
    cases=cases,
    methods=methods,
    measures=(
        compared(psnr, DISPLAY, "higher"),
        compared(by_slice(ssim), DISPLAY, "higher", "SSIM"),
        compared(vif, DISPLAY, "higher", "VIF", "whole"),
        compared(mse, DISPLAY, "lower", "MSE"),
    ),
    lesion_measures=(
        compared(mae, DISPLAY, "lower", "MAE"),
        compared(mse, DISPLAY, "lower", "MSE"),
        compared(psnr, DISPLAY, "higher", "PSNR"),
        compared(by_slice(ssim), DISPLAY, "higher", "SSIM"),
    ),
    view=View(0.0, 0.8, 0.3, inputs={INPUT: (0.0, 1.0)}),
    quantities=(mean_value("1"),),
    add_arguments=add_arguments,
    notes=(
        "Display values 0 to 1, data range 1; recombined images hold the noise of two exposures, "
        "which no prediction can give and which bounds every figure.",
        "Simulated pairs are drawn with a seed that training does not use. In the group "
        "'iodine independent' the low-energy image tells nothing of the iodine.",
        "Real pairs are measured with weights that were trained without their patient.",
        "The mean image and the mean value are those of other patients' pairs: of the sources "
        "mean_real and mean_simulated among the settings above.",
    ),
)

if __name__ == "__main__":
    raise SystemExit(evaluate(EVALUATION))
