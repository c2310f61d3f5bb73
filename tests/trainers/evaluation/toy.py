"""A small evaluation with known answers: truth, a good method, a bad baseline."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np

from dicom_profiles.volume import Volume
from trainers.evaluation.case import OURS, Case, Evaluation, Method, View, Voxels
from trainers.evaluation.measures import compared, mean_value
from trainers.metrics.intensity import mae, psnr
from trainers.metrics.measurement import ABDOMEN_WINDOW, ALL_HU, Mask

SHAPE = (4, 12, 12)
OUR_ERROR, THEIR_ERROR = 5.0, 20.0


def case(patient: int, name: str = "ct", group: str = "") -> Case:
    """A body with a district and, in even patients, a lesion; values differ between patients."""
    source = np.random.default_rng(patient)
    voxels = source.normal(40 + patient, 5, SHAPE).astype(np.float32)
    truth = Volume(voxels, np.diag([3.0, 1.0, 1.0, 1.0]), "HU")
    body, upper, lesion = (np.zeros(SHAPE, dtype=bool) for _ in range(3))
    body[:, 2:10, 2:10] = True
    upper[:2, 2:10, 2:10] = True
    lesion[1, 4:6, 4:6] = patient % 2 == 0
    return Case(
        f"P{patient}",
        name,
        {"CT": Volume(voxels + 30, truth.affine, "HU")},
        truth,
        {"body": Mask("body", body), "upper half": Mask("upper half", upper)},
        {"lesion 1": Mask("lesion 1", lesion)},
        group,
        "toy",
    )


def cases(place: str, options: argparse.Namespace) -> Iterator[Case]:
    """`place` is how many patients, `10+3` three from number 10 on."""
    first, _, count = place.rpartition("+")
    return (case(int(first or 0) + patient) for patient in range(int(count)))


def ours(case: Case) -> Voxels:
    """Off by 5 HU, more in later patients."""
    return case.truth.voxels + OUR_ERROR + float(case.patient[1:]) / 100


def methods(options: argparse.Namespace) -> dict[str, Method]:
    return {"input": lambda case: case.truth.voxels + THEIR_ERROR, OURS: ours}


TOY = Evaluation(
    pipeline="ldct_denoise",
    title="A toy",
    cases=cases,
    methods=methods,
    measures=(
        compared(mae, ALL_HU, "lower"),
        compared(psnr, ABDOMEN_WINDOW, "higher", "PSNR, abdomen"),
    ),
    view=View(-150, 250, 50),
    lesion_measures=(compared(mae, ALL_HU, "lower"),),
    quantities=(mean_value("HU"),),
    notes=("Nothing here is real.",),
)
