r"""The ten-layer protocol: synthetic CT against real CT of other patients, layer by layer.

    python -m trainers.evaluation.ten_layers --real /data/ct_a /data/ct_b /data/ct_c \
        --synthetic ours=/data/synthetic --out results/ten_layers

A place is a folder of one DICOM series, a NIfTI file with HU, or a folder of NIfTI files; slices
count from the feet. Real and synthetic need not be of the same patients. Every layer's score is
given as model, as baseline (real against real) and as their ratio, at equal numbers of images,
mean and standard deviation over draws: `layer_draws.py` says how, `layers.py` what a layer is.
Writes OUT.html and OUT.json.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from trainers.evaluation.case import EvaluationError
from trainers.evaluation.command import without_folders
from trainers.evaluation.layer_draws import ModelResult, Score, averaged, draw_layer, scores
from trainers.evaluation.layer_images import LayerImages, read_set
from trainers.evaluation.layer_scores import UNITS, WITHOUT_RATIO, Signature, signature
from trainers.evaluation.layers import LAYERS
from trainers.evaluation.layers_page import layers_page
from trainers.evaluation.report import figure_text
from trainers.metrics.measurement import (
    EVERY_VOXEL,
    DataRange,
    Floats,
    Measurement,
)
from trainers.metrics.resampling import Resampling
from trainers.training.script import exit_code

MIN_REPEATS = 20
SIZE, MIN_SIZE = 256, 16
"""Side of the images in the paper; on smaller ones than the second there is no texture."""

console = Console(stderr=True, highlight=False)


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line, measure, write."""
    return exit_code(partial(run, parser().parse_args(argv)))


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    parser = argparse.ArgumentParser(
        prog="vscanner evaluate --protocol ten_layers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--real", nargs="+", required=True, metavar="PLACE", help="real CT")
    parser.add_argument(
        "--synthetic", nargs="+", required=True, metavar="MODEL=PLACE", help="several of one model"
    )
    parser.add_argument(
        "--layers",
        default="lungs",
        metavar="lungs|equal|TABLE.csv",
        help="how slices are sorted (default lungs)",
    )
    parser.add_argument(
        "--window",
        type=float,
        nargs=2,
        default=[-150, 250],
        metavar=("LOW", "HIGH"),
        help="HU that become 256 grey levels (default -150 250)",
    )
    parser.add_argument("--size", type=int, default=SIZE, help=f"pixels a side (default {SIZE})")
    parser.add_argument("--repeats", type=int, default=MIN_REPEATS, help="draws, at least 20")
    parser.add_argument("--count", type=int, help="images a draw (default all of the smallest set)")
    parser.add_argument("--seed", type=int, default=0, help="of the draws (default 0)")
    parser.add_argument("--out", type=Path, required=True, help="written: OUT.html and OUT.json")
    return parser


def run(options: argparse.Namespace) -> None:
    """Read every set, draw, write both files and the table."""
    if options.repeats < MIN_REPEATS:
        raise EvaluationError(f"At least {MIN_REPEATS} draws are wanted, got {options.repeats}.")
    if options.size < MIN_SIZE:
        raise EvaluationError(
            f"At least {MIN_SIZE} pixels a side are wanted, got {options.size}; see --size."
        )
    window = DataRange(options.window[0], options.window[1], "HU")
    plan = Resampling(options.repeats, options.count, True, options.seed)
    with console.status("reading ..."):
        real = read_set(options.real, options.layers, options.size)
        made = {
            name: read_set(places, options.layers, options.size)
            for name, places in models_of(options.synthetic).items()
        }
    results = []
    with console.status("real: looking ..."):
        real_signatures = signatures(real, window)
    for name, images in made.items():
        with console.status(f"{name}: drawing ..."):
            results.append(measure(name, real_signatures, signatures(images, window), plan))
    whole = report_of(options, window, plan, results)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    json_path, page_path = (options.out.with_suffix(end) for end in (".json", ".html"))
    json_path.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    page = layers_page(whole, results, examples(real, made), window)
    page_path.write_text(page, encoding="utf-8")
    print(overview(results))


def models_of(given: Sequence[str]) -> dict[str, list[str]]:
    """`MODEL=PLACE` to the places of every model."""
    found: dict[str, list[str]] = {}
    for source in given:
        name, equals, place = source.partition("=")
        if not equals or not name:
            raise EvaluationError(f"--synthetic wants MODEL=PLACE, got {source!r}.")
        found.setdefault(name, []).append(place)
    return found


def signatures(one: LayerImages, window: DataRange) -> dict[int, Signature]:
    """What the distances need of every layer of a set."""
    return {
        layer: signature(images, one.patients[layer], window)
        for layer, images in one.images.items()
    }


def measure(
    name: str, real: Mapping[int, Signature], made: Mapping[int, Signature], plan: Resampling
) -> ModelResult:
    """Every layer of one model."""
    done, left_out = [], []
    for layer in range(1, LAYERS + 1):
        draws = None
        if layer in real and layer in made:
            draws = draw_layer(layer, real[layer], made[layer], plan)
        if draws is None:
            left_out.append(layer)
        else:
            done.append(draws)
    if not done:
        raise EvaluationError(
            f"{name}: no layer has two real halves and a synthetic set of 2 images each; give "
            "more series, or another way to sort them (--layers)."
        )
    return ModelResult(name, done, left_out)


def report_of(
    options: argparse.Namespace, window: DataRange, plan: Resampling, results: Sequence[ModelResult]
) -> dict[str, Any]:
    """Everything for the JSON file: settings, then a record for each score."""
    sources = {"real": without_folders(options.real), "made": without_folders(options.synthetic)}
    settings = {
        "layers": options.layers if options.layers in ("lungs", "equal") else "table",
        "size": options.size,
        "repeats": plan.repeats,
        "replacement": plan.replacement,
        "seed": plan.seed,
    }
    return {
        "format": 1,
        "protocol": "ten_layers",
        "created": datetime.now(UTC).date().isoformat(),
        "settings": settings,
        "data_range": [window.low, window.high, window.unit],
        "sources": sources,
        "left_out": {result.model: list(result.left_out) for result in results},
        "measurements": [
            record for result in results for record in _records(result, window, settings)
        ],
    }


def _records(
    result: ModelResult, window: DataRange, settings: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """Every layer's scores, then average over average of the layers that count in it."""
    for layer in result.layers:
        for name, one in scores([layer]):
            facts = {"layer": layer.layer, "real_patients": layer.real_patients}
            yield from _three(result.model, name, one, window, {**facts, **settings}, layer.n)
    counted = averaged(result.layers)
    average: dict[str, Any] = {"layer": "average", "averaged": [one.layer for one in counted]}
    for name, one in scores(counted):
        smallest = min(layer.n for layer in counted)
        yield from _three(result.model, name, one, window, {**average, **settings}, smallest)


def _three(
    model: str, name: str, one: Score, window: DataRange, settings: Mapping[str, Any], n: int
) -> Iterator[dict[str, Any]]:
    """Model, baseline and ratio of one score as measurements."""
    for side, value, spread, unit in (
        ("model", one.model, one.model_spread, UNITS[name]),
        ("baseline", one.baseline, one.baseline_spread, UNITS[name]),
        ("ratio", one.ratio, one.ratio_spread, "1"),
    ):
        if side == "ratio" and name in WITHOUT_RATIO:
            continue
        measurement = Measurement(
            name, value, unit, window, EVERY_VOXEL.description, n, spread, dict(settings)
        )
        yield {"model": model, "side": side, "split": "test", **measurement.to_json()}


def examples(real: LayerImages, made: Mapping[str, LayerImages]) -> dict[int, dict[str, Floats]]:
    """The middle image of every set in every layer, for a picture."""
    sets = {"real": real, **made}
    return {
        layer: {
            name: one.images[layer][len(one.images[layer]) // 2]
            for name, one in sets.items()
            if layer in one.images
        }
        for layer in range(1, LAYERS + 1)
    }


def overview(results: Sequence[ModelResult]) -> str:
    """Average over average, for the terminal."""
    lines = ["model | score | model ± sd | real-real ± sd | ratio ± sd"]
    for result in results:
        for name, one in scores(averaged(result.layers)):
            pairs = (
                (one.model, one.model_spread),
                (one.baseline, one.baseline_spread),
                (one.ratio, one.ratio_spread),
            )
            cells = [f"{figure_text(value)} ± {figure_text(spread)}" for value, spread in pairs]
            cells[-1] = "–" if name in WITHOUT_RATIO else cells[-1]
            lines.append(" | ".join([result.model, name, *cells]))
        if result.left_out:
            missing = ", ".join(map(str, result.left_out))
            lines.append(f"{result.model}: layers without enough images: {missing}")
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
