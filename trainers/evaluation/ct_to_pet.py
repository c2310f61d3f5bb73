"""CT to FDG PET for the one evaluation command: real CT/PET pairs and simulated bodies.

A place is `sts:FOLDER`, with `:PATIENT,PATIENT` after it or not, `autopet:FOLDER`, `set:DIR:test`
(a side of a gathered data set), or `simulated:FIRST+COUNT`. The PET is brought to the grid of the
CT, linearly; that is the truth.
`--run NAME=FOLDER` measures a network of `trainers.ct_to_pet` beside what is served.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage

from dicom_profiles.volume import Volume
from pipelines.ct_to_pet.body import body_mask
from pipelines.ct_to_pet.districts import LABELS
from pipelines.ct_to_pet.grid import WorkingGrid
from pipelines.ct_to_pet.network import channels, network_for, quantities
from pipelines.ct_to_pet.patches import Patches, translated
from trainers.evaluation.case import (
    OURS,
    Case,
    Evaluation,
    EvaluationError,
    Method,
    View,
    Voxels,
)
from trainers.evaluation.command import add_run_option, evaluate, runs_of
from trainers.evaluation.measures import compared, mean_value, uptake_values
from trainers.evaluation.served import served
from trainers.metrics.intensity import mae, psnr
from trainers.metrics.measurement import ALL_SUV, DataRange, Mask
from trainers.metrics.similarity import ssim
from trainers.metrics.uptake import UptakeThreshold
from trainers.publishing.ct_to_pet import read_run
from trainers.readers.autopet import read_autopet
from trainers.readers.ct_pet import CtPetPair, districts_of
from trainers.readers.gathered_ct_pet import read_gathered_ct_pet
from trainers.readers.sts_pet import read_sts_pet
from trainers.simulation.whole_body import draw_body, simulate

SUV_RANGE = DataRange(0, 20, "SUVbw")
"""The range of PSNR and SSIM; divided by 20 it is the normalised SUV of the published figures."""

BODY_HU = -300.0
BODY = f"CT above {BODY_HU:.0f} HU, its largest part, holes of each slice filled"

TISSUE_HU = (-300.0, -30.0, 200.0)
"""Limits between air, fat, soft tissue and bone."""

TISSUE_SUV: Mapping[str, tuple[float, ...]] = {
    "real": (0.84, 0.43, 0.82, 0.64),
    "simulated": (0.37, 0.29, 0.62, 0.67),
}
"""Median SUV of each tissue in the body, over the training patients of each kind; see `medians`."""


def cases(place: str, options: argparse.Namespace) -> Iterator[Case]:
    """One case a patient."""
    kind, _, where = place.partition(":")
    if kind not in KINDS or not where:
        raise EvaluationError(
            f"A place is one of {', '.join(KINDS)}, a colon and where it is; got {place!r}."
        )
    yield from KINDS[kind](where)


def _sts(where: str) -> Iterator[Case]:
    folder, _, patients = where.partition(":")
    for pair in read_sts_pet(Path(folder), [name for name in patients.split(",") if name]):
        yield case_of(pair, "real", "Soft-tissue-Sarcoma", districts_of(pair.ct))


def _autopet(where: str) -> Iterator[Case]:
    for pair in read_autopet(Path(where)):
        yield case_of(pair, "real", "FDG-PET-CT-Lesions", districts_of(pair.ct))


def _gathered(where: str) -> Iterator[Case]:
    for patient, pair in read_gathered_ct_pet(where):
        found = case_of(pair, "real", "gathered data set", districts_of(pair.ct))
        yield replace(found, patient=patient, name=pair.patient)


def _simulated(where: str) -> Iterator[Case]:
    first, _, count = where.partition("+")
    if not (first.isdecimal() and count.isdecimal()):
        raise EvaluationError(
            f"The first number and a count are wanted, as in simulated:100+8; got {where!r}."
        )
    for index in range(int(first), int(first) + int(count)):
        body = simulate(draw_body(np.random.default_rng([7, index])), f"body_{index:04d}")
        yield case_of(body.pair, "simulated", "simulated whole bodies", body.districts)


KINDS: Mapping[str, Callable[[str], Iterator[Case]]] = {
    "sts": _sts,
    "autopet": _autopet,
    "set": _gathered,
    "simulated": _simulated,
}


def case_of(pair: CtPetPair, group: str, data: str, districts: npt.NDArray[np.integer]) -> Case:
    """A pair as a case: truth on the CT's grid, the body, its districts, its lesions."""
    ct = pair.ct
    truth = Volume(on_grid(pair.suv, ct, order=1), ct.affine, "SUVbw")
    body = body_of(ct.voxels)
    masks = {"body": Mask(BODY, body)}
    for name, label in LABELS.items():
        inside = body & (districts == label)
        if inside.any():
            masks[name] = Mask(f"{BODY}; {name}", inside)
    lesions = {}
    if pair.lesions is not None:
        marked = body & (on_grid(pair.lesions, ct, order=0) > 0.5)
        if marked.any():
            masks["without lesions"] = Mask(f"{BODY}; outside the outlined lesions", body & ~marked)
            lesions = {"outlined": Mask("outlined lesion in the body", marked)}
    return Case(pair.patient, group, {"CT": ct}, truth, masks, lesions, group, data)


def on_grid(volume: Volume, ct: Volume, order: int) -> npt.NDArray[np.float32]:
    """A volume on the grid of the CT: interpolated linearly (order 1) or by the nearest voxel."""
    if volume.voxels.shape == ct.voxels.shape and np.allclose(volume.affine, ct.affine):
        return volume.voxels
    to_volume = np.linalg.inv(volume.affine) @ ct.affine
    made: npt.NDArray[np.float32] = ndimage.affine_transform(
        volume.voxels, to_volume[:3, :3], to_volume[:3, 3], ct.voxels.shape,
        order=order, mode="nearest",
    )  # fmt: skip
    return made


def body_of(hu: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """The body on the grid of the CT, (slices, rows, columns): see `BODY`."""
    labels, _ = ndimage.label(hu > BODY_HU)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    largest = labels == sizes.argmax()
    filled = [ndimage.binary_fill_holes(ndimage.binary_closing(image, iterations=2))
              for image in largest]  # fmt: skip
    return np.asarray(filled, np.bool_)


def by_tissue(case: Case) -> Voxels:
    """The trivial predictor: each tissue's median SUV, with the true body given."""
    suv = np.array(TISSUE_SUV[case.group], np.float32)
    made = suv[np.digitize(case.inputs["CT"].voxels, TISSUE_HU)]
    return np.where(case.masks["body"].inside(made), made, 0.0).astype(np.float32)


def medians(pairs: Iterator[CtPetPair]) -> tuple[float, ...]:
    """Median SUV of each tissue in the body over several patients (every 7th voxel)."""
    found: list[list[npt.NDArray[np.float32]]] = [[] for _ in range(len(TISSUE_HU) + 1)]
    for pair in pairs:
        truth, body = on_grid(pair.suv, pair.ct, 1), body_of(pair.ct.voxels)
        tissue = np.digitize(pair.ct.voxels, TISSUE_HU)
        for number, values in enumerate(found):
            values.append(truth[body & (tissue == number)][::7])
    return tuple(round(float(np.median(np.concatenate(values))), 2) for values in found)


def by_run(folder: Path) -> Method:
    """A network that is not shipped, by the folder of its run, over the whole body."""
    facts, state = read_run(str(folder), simulated_only=False)
    network = network_for(facts.backbone, facts.widths).eval()
    network.load_state_dict(state)

    def run(batches: Iterable[Patches]) -> Iterator[Patches]:
        for batch in batches:
            with torch.inference_mode():
                yield network(torch.from_numpy(batch)).numpy()

    def translate(case: Case) -> Voxels:
        ct = case.inputs["CT"]
        slices, rows, columns = ct.voxels.shape
        grid = WorkingGrid.of((slices, rows, columns), ct.affine)
        averages = grid.averaged(quantities(image) for image in ct.voxels)
        body = body_mask(averages[0])
        made = translated(channels(averages), body, facts.tiling, run, batch=1)
        suv = grid.to_source(made)
        return np.stack([grid.slice_of(suv, index) for index in range(slices)])

    return translate


def methods(options: argparse.Namespace) -> dict[str, Method]:
    """The trivial predictor, other ways of running the model, other runs, ours (feathered)."""
    ways = {
        "single model": {"district_share": 0.0},
        "district models, hard masks": {"district_share": 1.0, "feather_mm": 0.0},
    }
    return {
        "median SUV of each tissue": by_tissue,
        **{name: served("ct_to_pet", parameters=values) for name, values in ways.items()},
        **{name: by_run(folder) for name, folder in runs_of(options).items()},
        OURS: served("ct_to_pet"),
    }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """More models."""
    add_run_option(parser)


EVALUATION = Evaluation(
    pipeline="ct_to_pet",
    title="Whole-body CT to FDG PET",
    cases=cases,
    methods=methods,
    measures=(
        compared(mae, ALL_SUV, "lower", "MAE"),
        compared(psnr, SUV_RANGE, "higher", "PSNR, SUV 0 to 20"),
        compared(ssim, SUV_RANGE, "higher", "SSIM, SUV 0 to 20"),
    ),
    lesion_measures=(compared(mae, ALL_SUV, "lower", "MAE"),),
    quantities=(mean_value("SUVbw"), *uptake_values(UptakeThreshold(2.5))),
    view=View(0, 7, 3, colours="gray_r", inputs={"CT": (-160, 240)}),
    add_arguments=add_arguments,
    notes=(
        "MAE of normalised SUV (0 to 1 for 0 to 20) is the MAE divided by 20.",
        "The trivial predictor is told the body; its medians are those of the training patients.",
        "Districts of real patients are those that the geometric segmenter tells.",
        "The sarcomas are cut-outs 5 cm around a tumour: where a cut-out ends tells a network "
        "where its middle is. docs/ct_to_pet_report.md says how much of the gain that is.",
    ),
)

if __name__ == "__main__":
    raise SystemExit(evaluate(EVALUATION))
