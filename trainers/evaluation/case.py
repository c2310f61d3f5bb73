"""What a pipeline's evaluation gives to the one command: cases, methods, measures, a view.

A pipeline's file (`trainers/evaluation/NAME.py`) builds one `Evaluation` and hands it over:

    EVALUATION = Evaluation(
        pipeline="ct_to_pet",
        title="Whole-body CT to FDG PET",
        cases=cases,  # reads one place of --data, yields a Case a patient
        methods=methods,  # baselines first, then OURS
        measures=(compared(mae, ALL_SUV, "lower"), compared(psnr, SUV_RANGE, "higher")),
        quantities=(mean_value("SUVbw"),),
        view=View(0, 7, 3, colours="gray_r"),
    )

    if __name__ == "__main__":
        raise SystemExit(evaluate(EVALUATION))
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from dicom_profiles.volume import Volume
from trainers.errors import TrainersError
from trainers.metrics.measurement import Mask, Measurement

Voxels: TypeAlias = npt.NDArray[np.floating[Any]]
"""(slices, rows, columns) on the grid of the case's truth, in its unit."""

OURS = "ours"
"""The method that is judged: the pipeline as it is served. All other methods are baselines."""


class EvaluationError(TrainersError):
    """A case, a method or a source that cannot be measured."""


@dataclass(frozen=True, eq=False)
class Case:
    """One image or volume whose truth is known.

    Attributes:
        patient: cases of one patient are averaged before anything is tested; never a name.
        name: of this case among the patient's, for tables.
        inputs: by key (`CT`; `IP`, `OOP`, `T1` ...), the first on the grid of the truth.
        truth: what the output should be.
        masks: where figures count, by region. The first is the whole (the body, the breast); the
            others are districts or tissues. A region without a voxel is left out of the tables.
        lesions: one mask a lesion.
        group: what kind of case: `real`, `simulated`, a dose, a diagnosis. Tables are by group.
        data: the data set's name, for the model card.
    """

    patient: str
    name: str
    inputs: Mapping[str, Volume]
    truth: Volume
    masks: Mapping[str, Mask]
    lesions: Mapping[str, Mask] = field(default_factory=dict)
    group: str = ""
    data: str = ""

    def __post_init__(self) -> None:
        shape = self.truth.voxels.shape
        if not self.inputs or not self.masks:
            raise EvaluationError(
                f"Case {self.name!r} wants at least one input and one mask, got "
                f"{len(self.inputs)} and {len(self.masks)}."
            )
        for name, mask in (*self.masks.items(), *self.lesions.items()):
            if mask.voxels is not None and mask.voxels.shape != shape:
                raise EvaluationError(
                    f"Mask {name!r} of case {self.name!r} wants the truth's shape {shape}, got "
                    f"{mask.voxels.shape}; resample it."
                )

    @property
    def whole(self) -> str:
        """Name of the region that the headline figures are about."""
        return next(iter(self.masks))


Method: TypeAlias = Callable[[Case], Voxels]
"""The output for a case. A baseline may look at the truth if its name says so."""


@dataclass(frozen=True)
class Measure:
    """One figure of an output against the truth.

    Attributes:
        label: names it in tables; one measure in two ranges needs two labels.
        score: case, output and region to the measurement.
        better: which values are better.
        regions: `whole` for what has a meaning in the whole only (MS-SSIM).
    """

    label: str
    score: Callable[[Case, Voxels, Mask], Measurement]
    better: Literal["lower", "higher"]
    regions: Literal["all", "whole"] = "all"


@dataclass(frozen=True)
class Quantity:
    """A number that is read off one volume: compared between truth and output (Bland-Altman).

    Attributes:
        label: names it: `mean`, `SUVmax`.
        unit: of the number.
        value: volume and region to the number; NaN where it has none.
    """

    label: str
    unit: str
    value: Callable[[Volume, Mask], float]


@dataclass(frozen=True)
class View:
    """How pictures are shown.

    Attributes:
        low, high: display window of truth and output, in their unit.
        difference: differences are shown from -difference to +difference.
        colours: matplotlib's name of the colour map of truth and output.
        inputs: display window of an input by its key; its 1st to 99.5th percentile otherwise.
    """

    low: float
    high: float
    difference: float
    colours: str = "gray"
    inputs: Mapping[str, tuple[float, float]] = field(default_factory=dict)


def no_arguments(parser: argparse.ArgumentParser) -> None:
    """An evaluation without settings of its own."""


@dataclass(frozen=True)
class Evaluation:
    """How one pipeline is measured.

    Attributes:
        pipeline: its name in the catalogue.
        title: of the report.
        cases: a place of --data and the command's options to cases, read one by one.
        methods: the command's options to methods in the order of the tables; `OURS` is one of them.
        measures: the first is the headline: it ranks the worst cases and the baselines.
        view: how pictures are shown.
        lesion_measures: of each lesion.
        quantities: compared between truth and output in every region and lesion.
        add_arguments: adds settings of this pipeline's own to the command.
        notes: sentences for the report: what is simulated, what a baseline is told.
    """

    pipeline: str
    title: str
    cases: Callable[[str, argparse.Namespace], Iterable[Case]]
    methods: Callable[[argparse.Namespace], Mapping[str, Method]]
    measures: tuple[Measure, ...]
    view: View
    lesion_measures: tuple[Measure, ...] = ()
    quantities: tuple[Quantity, ...] = ()
    add_arguments: Callable[[argparse.ArgumentParser], None] = no_arguments
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for measures in (self.measures, self.lesion_measures):
            labels = [measure.label for measure in measures]
            if twice := {label for label in labels if labels.count(label) > 1}:
                raise EvaluationError(
                    f"One label a measure is wanted, got {', '.join(sorted(twice))} twice; an "
                    "evaluation tells its figures apart by them."
                )
        if not self.measures:
            raise EvaluationError(f"The evaluation of {self.pipeline} wants at least one measure.")
