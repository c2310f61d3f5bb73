"""The one command of every pipeline's evaluation: read cases, measure, write report and JSON.

    vscanner evaluate NAME --data test:/data/patients validation:/data/others --out results/NAME

Writes OUT.html, one file that needs nothing else, and OUT.json with every figure.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from rich.console import Console

from trainers.evaluation.card_figures import fill_card
from trainers.evaluation.case import OURS, Case, Evaluation, EvaluationError, Method
from trainers.evaluation.measuring import WorstCases, measure_cases
from trainers.evaluation.report import Findings, figure_text, findings, html_report
from trainers.evaluation.results import SPLITS, Results
from trainers.evaluation.saving import saved
from trainers.evaluation.served import model_facts
from trainers.readers.data_set import PREFIX
from trainers.training.script import exit_code

FOLDERS = re.compile(r"[^:=,\s]*/")
"""The folders of a path, wherever in a setting it stands."""

console = Console(stderr=True, highlight=False)


def evaluate(evaluation: Evaluation, argv: Sequence[str] | None = None) -> int:
    """Read the command line, measure, write; 1 with a sentence when something is wrong."""
    options = parser_of(evaluation).parse_args(argv)

    def measure() -> None:
        found = run(evaluation, options)
        if options.card:
            fill_card([options.out.with_suffix(".json")])
        print(overview(found))

    return exit_code(measure)


def parser_of(evaluation: Evaluation) -> argparse.ArgumentParser:
    """The command's arguments and those of the pipeline's own."""
    parser = argparse.ArgumentParser(
        prog=f"vscanner evaluate {evaluation.pipeline}",
        description=f"{evaluation.title}: measure the served model beside its baselines.",
    )
    parser.add_argument(
        "--data",
        nargs="+",
        required=True,
        metavar="[SPLIT:]PLACE",
        help=f"where cases are; SPLIT is one of {', '.join(SPLITS)} (default test; a gathered "
        "data set's side is its own)",
    )
    parser.add_argument("--out", type=Path, required=True, help="written: OUT.html and OUT.json")
    parser.add_argument("--limit", type=int, help="cases of a place (default all)")
    parser.add_argument("--card", action="store_true", help="fill the model card with the figures")
    parser.add_argument(
        "--methods", nargs="+", metavar="NAME", help="baselines beside ours (default all)"
    )
    parser.add_argument(
        "--save", type=Path, metavar="FOLDER", help="keep outputs: FOLDER/METHOD/CASE.nii.gz"
    )
    evaluation.add_arguments(parser)
    return parser


def run(evaluation: Evaluation, options: argparse.Namespace) -> Findings:
    """Measure every place and write both files."""
    facts: dict[str, Any] = {
        "format": 1,
        **model_facts(evaluation.pipeline),
        "created": datetime.now(UTC).date().isoformat(),
        "settings": settings_of(options),
        "headline": evaluation.measures[0].label,
        "better": {
            measure.label: measure.better
            for measure in (*evaluation.lesion_measures, *evaluation.measures)
        },
        "sources": [],
    }
    results, worst = Results(facts), WorstCases(evaluation.measures[0])
    methods = chosen(evaluation.methods(options), options.methods)
    if options.save:
        methods = saved(methods, options.save)
    places: dict[tuple[str, str], int] = {}
    for number, (split, place) in enumerate(map(split_and_place, options.data)):
        found_cases = islice(evaluation.cases(place, options), options.limit)
        cases = without_namesakes(found_cases, number, places)
        measured = measure_cases(evaluation, cases, methods, split, results, worst)
        facts["sources"].append(_watched(measured, split, place))
    found = findings(evaluation, results)
    _write(options.out.with_suffix(".json"), json.dumps(found.to_json(), indent=1) + "\n")
    page = html_report(evaluation, found, worst.worst_first())
    _write(options.out.with_suffix(".html"), page)
    return found


def add_run_option(parser: argparse.ArgumentParser) -> None:
    """`--run NAME=FOLDER ...`: models that are not shipped; `runs_of` reads it."""
    parser.add_argument("--run", nargs="*", default=[], metavar="NAME=FOLDER", help="more models")


def runs_of(options: argparse.Namespace) -> dict[str, Path]:
    """Folders of runs by the names that they have in the report.

    Raises:
        EvaluationError: one has no name.
    """
    if wrong := [one for one in options.run if "=" not in one]:
        raise EvaluationError(f"--run wants NAME=FOLDER, got {wrong[0]!r}.")
    return {name: Path(folder) for name, folder in (one.split("=", 1) for one in options.run)}


def chosen(methods: Mapping[str, Method], names: Sequence[str] | None) -> Mapping[str, Method]:
    """The baselines that are named, and ours.

    Raises:
        EvaluationError: no method has that name.
    """
    if names is None:
        return methods
    if unknown := [name for name in names if name not in methods]:
        raise EvaluationError(
            f"--methods wants some of {', '.join(map(repr, methods))}, got "
            f"{', '.join(map(repr, unknown))}."
        )
    return {name: one for name, one in methods.items() if name in (*names, OURS)}


def without_namesakes(
    cases: Iterable[Case], number: int, places: dict[tuple[str, str], int]
) -> Iterator[Case]:
    """The cases of a place, as long as nobody of their group came from another place.

    Means are over patients: two of one name would count as one, and their outputs be kept as one.

    Args:
        cases: of the place.
        number: of the place.
        places: number of the place that each patient of each group came from; added to.

    Raises:
        EvaluationError: a patient came from another place.
    """
    for case in cases:
        if places.setdefault((case.group, case.patient), number) != number:
            raise EvaluationError(
                f"A patient is wanted in one place of --data, {case.patient!r} is in two: name "
                "each place once; where a folder's or file's name is the patient's, give folders "
                "of different patients different names."
            )
        yield case


def split_and_place(source: str) -> tuple[str, str]:
    """`validation:/data/a` to its two parts; `test` where no split is named.

    A side of a gathered data set, `set:DIR:validation`, is its own split.

    Raises:
        EvaluationError: it is called another.
    """
    split, colon, place = source.partition(":")
    if not colon or split not in SPLITS:
        split, place = "", source
    side = place.rpartition(":")[2] if place.startswith(PREFIX) else ""
    if side not in SPLITS:
        return split or "test", place
    if split and split != side:
        raise EvaluationError(
            f"A side of a gathered data set is its own split, {side}, got {split!r} before "
            f"{place}; leave it out."
        )
    return side, place


def settings_of(options: argparse.Namespace) -> dict[str, Any]:
    """The options that are numbers or words; of paths of this machine only the last name."""
    left_out = ("data", "out", "card", "methods", "save")
    kept = {key: value for key, value in vars(options).items() if key not in left_out}
    return {key: without_folders(value) for key, value in kept.items() if _is_plain(value)}


def _is_plain(value: object) -> bool:
    if isinstance(value, (list, tuple)):
        return bool(value) and all(_is_plain(part) for part in value)
    return isinstance(value, (int, float, str))


def without_folders(value: Any) -> Any:
    """A setting, or a list of them, with only the last name of each path."""
    if isinstance(value, (list, tuple)):
        return [without_folders(part) for part in value]
    return FOLDERS.sub("", value) if isinstance(value, str) else value


def _watched(measured: Iterator[Case], split: str, place: str) -> dict[str, Any]:
    """Take the cases, say where we are, count them."""
    patients: set[str] = set()
    cases = 0
    with console.status(f"{split}: measuring ...") as status:
        for case in measured:
            patients.add(case.patient)
            cases += 1
            status.update(f"{split}: {cases} cases measured, last {case.patient} {case.name}")
    if not cases:
        raise EvaluationError(f"No case was found in {place}; name a folder that holds some.")
    name = without_folders(place.rstrip("/"))
    return {"split": split, "name": name, "patients": len(patients), "cases": cases}


def overview(found: Findings) -> str:
    """The headline figures as a small table for the terminal."""
    lines = ["split, group | region | measure | method | mean ± deviation | patients"]
    for line in found.summaries:
        if line.cell.kind != "whole":
            continue
        unit = "" if line.unit == "1" else f" {line.unit}"
        where = ", ".join(part for part in (line.cell.split, line.cell.group) if part)
        mark = "*" if line.method == OURS else " "
        lines.append(
            f"{where} | {line.cell.region} | {line.cell.measure} | {mark}{line.method} | "
            f"{figure_text(line.mean)} ± {figure_text(line.deviation)}{unit} | {line.n}"
        )
    return "\n".join(lines)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
