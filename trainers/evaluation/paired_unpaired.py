r"""Paired against unpaired image quality: do scores without the truth tell what scores with it say?

    vscanner evaluate --protocol paired_unpaired ldct_denoise --data /data/a /data/b \
        --out results/paired_unpaired

Takes the cases and methods of a pipeline's evaluation. A few neighbouring slices under one method
are one observation with fifteen scores (`quality_scores.py`); then every paired score is correlated
with every unpaired one, and predicted from all of them by a decision tree in ten folds
(`quality_study.py`), as in arXiv 2304.05359. Unpaired scores see good images of *other* patients,
or of other slices where there is one patient only. Writes OUT.html and OUT.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import nn

from trainers.evaluation.case import Case, Evaluation, EvaluationError
from trainers.evaluation.command import (
    chosen,
    split_and_place,
    without_folders,
    without_namesakes,
)
from trainers.evaluation.quality_blocks import Block, blocks_of, good_images_of_others
from trainers.evaluation.quality_page import quality_page
from trainers.evaluation.quality_scores import (
    SCORES,
    Networks,
    Reference,
    fifteen_scores,
    reference_of,
)
from trainers.evaluation.quality_study import Observation, Study, analyse, refuse_few
from trainers.evaluation.report import figure_text
from trainers.metrics.features import NetworkFeatures
from trainers.metrics.measurement import DataRange
from trainers.training.script import exit_code

BLOCK, SIZE = 8, 256
console = Console(stderr=True, highlight=False)


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line, score, analyse, write."""
    given = list(sys.argv[1:] if argv is None else argv)

    def study() -> None:
        if not given or given[0].startswith("-"):
            parser(None).parse_args(given)  # --help, or what is missing
        evaluation = evaluation_of(given[0])
        run(evaluation, parser(evaluation).parse_args(given))

    return exit_code(study)


def evaluation_of(pipeline: str) -> Evaluation:
    """The evaluation of a pipeline."""
    try:
        module = import_module(f"trainers.evaluation.{pipeline}")
        evaluation = module.EVALUATION
    except (ModuleNotFoundError, AttributeError) as error:
        raise EvaluationError(
            f"A pipeline with an evaluation is wanted, got {pipeline!r}; `vscanner evaluate "
            "--help` lists them."
        ) from error
    if not isinstance(evaluation, Evaluation):
        raise EvaluationError(f"{pipeline}.EVALUATION should be an Evaluation, got {evaluation!r}.")
    return evaluation


def parser(evaluation: Evaluation | None) -> argparse.ArgumentParser:
    """The command's arguments, and the pipeline's own."""
    parser = argparse.ArgumentParser(
        prog="vscanner evaluate --protocol paired_unpaired",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("pipeline", help="whose cases and methods are taken")
    parser.add_argument("--data", nargs="+", required=True, metavar="PLACE")
    parser.add_argument("--out", type=Path, required=True, help="written: OUT.html and OUT.json")
    parser.add_argument("--limit", type=int, help="cases of a place (default all)")
    parser.add_argument("--methods", nargs="+", metavar="NAME", help="baselines (default all)")
    parser.add_argument("--study-seed", type=int, default=0, help="of draws and folds (default 0)")
    _add_images(parser)
    _add_networks(parser)
    if evaluation:
        evaluation.add_arguments(parser)
    return parser


def _add_images(parser: argparse.ArgumentParser) -> None:
    """What an observation is made of."""
    parser.add_argument("--block", type=int, default=BLOCK, help=f"slices (default {BLOCK})")
    parser.add_argument("--crop", type=int, default=SIZE, help=f"pixels a side (default {SIZE})")
    parser.add_argument("--window", type=float, nargs=2, metavar=("LOW", "HIGH"))
    parser.add_argument(
        "--blend",
        type=float,
        nargs="*",
        default=[],
        metavar="SHARE",
        help="also score mixtures of the first baseline with this share of each other method",
    )


def _add_networks(parser: argparse.ArgumentParser) -> None:
    """What takes the place of scores that need no weights."""
    parser.add_argument(
        "--features", metavar="NAME=FILE", help="TorchScript network in the place of radiomics"
    )
    parser.add_argument(
        "--perceptual",
        nargs="*",
        default=[],
        metavar="FILE",
        help="up to three TorchScript networks in the place of the filter bank",
    )


def run(evaluation: Evaluation, options: argparse.Namespace) -> None:
    """Make the observations, analyse them, write both files."""
    networks = networks_of(options)  # a file that is none is told before the work begins
    blocks, unit = translated(evaluation, options)
    refuse_few(sum(len(block.outputs) for block in blocks))
    low, high = options.window or (evaluation.view.low, evaluation.view.high)
    window = DataRange(low, high, unit)
    table = list(observations(blocks, window, networks, options.study_seed))
    study = analyse(table, options.study_seed)
    whole = {
        **facts(evaluation, options, window, networks),
        "observations": [asdict(row) for row in table],
        "study": study.to_json(),
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.with_suffix(".json").write_text(json.dumps(whole, indent=1) + "\n", "utf-8")
    options.out.with_suffix(".html").write_text(quality_page(whole, study, table), "utf-8")
    print(overview(study))


def translated(evaluation: Evaluation, options: argparse.Namespace) -> tuple[list[Block], str]:
    """The blocks of all cases under all methods, and the unit of their values."""
    methods = chosen(evaluation.methods(options), options.methods)
    blocks: list[Block] = []
    unit = ""
    with console.status("translating ...") as status:
        for case in _cases(evaluation, options):
            blocks += blocks_of(case, methods, options)
            unit = case.truth.unit
            status.update(f"{case.patient} {case.name}: {len(blocks)} blocks of slices")
    if not blocks:
        raise EvaluationError("No case has 2 slices or more; this study wants volumes.")
    return blocks, unit


def facts(
    evaluation: Evaluation, options: argparse.Namespace, window: DataRange, networks: Networks
) -> dict[str, Any]:
    """What was asked for, without paths of this machine."""
    return {
        "format": 1,
        "protocol": "paired_unpaired",
        "pipeline": evaluation.pipeline,
        "created": datetime.now(UTC).date().isoformat(),
        "data_range": [window.low, window.high, window.unit],
        "mask": "every voxel of the middle of each slice",
        "settings": {
            "block": options.block,
            "crop": options.crop,
            "blend": options.blend,
            "seed": options.study_seed,
            "features": networks.features.name,
            "networks": [Path(file).name for file in options.perceptual],
        },
        "sources": [without_folders(split_and_place(place)[1]) for place in options.data],
        "scores": {name: asdict(one) for name, one in SCORES.items()},
    }


def _cases(evaluation: Evaluation, options: argparse.Namespace) -> Iterator[Case]:
    places: dict[tuple[str, str], int] = {}
    for number, source in enumerate(options.data):
        found = islice(evaluation.cases(split_and_place(source)[1], options), options.limit)
        yield from without_namesakes(found, number, places)


def observations(
    blocks: Sequence[Block], window: DataRange, networks: Networks, seed: int
) -> Iterator[Observation]:
    """Every block under every method, scored."""
    references: dict[tuple[str, str], Reference] = {}
    several = len({block.patient for block in blocks}) > 1
    total = sum(len(block.outputs) for block in blocks)
    with console.status("scoring ...") as status:
        for done, block in enumerate(blocks):
            key = (block.patient, "" if several else block.slices)
            if key not in references:
                others = good_images_of_others(blocks, block, several, seed)
                references[key] = reference_of(others, window, networks, seed)
            for name, output in block.outputs.items():
                found = fifteen_scores(block.truth, output, references[key], window, networks, seed)
                method = ", ".join(part for part in (name, block.group) if part)
                yield Observation(block.patient, block.slices, method, found)
            status.update(f"{done + 1} of {len(blocks)} blocks scored, {total} observations")


def networks_of(options: argparse.Namespace) -> Networks:
    """The networks that the command line names."""
    perceptual = tuple(_network(file) for file in options.perceptual)
    if not options.features:
        return Networks(perceptual=perceptual)
    name, _, file = options.features.rpartition("=")
    return Networks(NetworkFeatures(_network(file), name or Path(file).name), perceptual)


def _network(file: str) -> nn.Module:
    try:
        with warnings.catch_warnings():
            # what sites have (Inception, VGG for such scores) was published as TorchScript
            warnings.simplefilter("ignore", DeprecationWarning)
            network: nn.Module = torch.jit.load(file, "cpu")
    except (RuntimeError, ValueError) as error:  # what torch says of such a file is its stack
        raise EvaluationError(
            f"A network saved as TorchScript is wanted (torch.jit.save), got {Path(file).name!r}."
        ) from error
    return network.eval()


def overview(study: Study) -> str:
    """The regressions, and each paired score's closest unpaired one, for the terminal."""
    lines = [f"{study.observations} observations; {study.folds}"]
    lines.append(
        "paired score | nRMSE of the tree ± sd | of the mean | closest unpaired (Spearman)"
    )
    for one in study.regressions:
        closest = max(
            (c for c in study.correlations if c.paired == one.paired and c.spearman == c.spearman),
            key=lambda c: abs(c.spearman),
        )
        lines.append(
            f"{one.paired} | {figure_text(one.nrmse)} ± {figure_text(one.nrmse_spread)} | "
            f"{figure_text(one.nrmse_of_mean)} | {closest.unpaired} ({closest.spearman:+.2f})"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
