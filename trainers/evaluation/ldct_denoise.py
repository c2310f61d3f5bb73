r"""Measure the low-dose CT denoiser on data that it has not seen, beside its rivals.

    python -m trainers.evaluation.ldct_denoise --out trainers/results/ldct_denoise \
        --series abdomen:a=/data/patient_a chest:/data/patient_b --phantom /data/phantom

A series is a folder of DICOM or a NIfTI file with HU; `abdomen:` or `chest:` names the window in
which it is scored (centre 50 width 400; centre -600 width 1500), `a=` what the table calls it.
Writes the JSON and Markdown named by --out. A training record that the JSON already holds stays in
it; `trainers.evaluation.ldct_denoise_report` puts the figures into report and model card.

Without --series or --phantom it is the evaluation that every pipeline has (docs/evaluation.md):

    python -m trainers.evaluation.ldct_denoise --data test:/data/a --out results/low_dose
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from trainers.evaluation.command import evaluate
from trainers.evaluation.denoisers import RIVALS, STRENGTHS, Denoiser, network, unchanged
from trainers.evaluation.ldct_denoise_cases import EVALUATION, read
from trainers.evaluation.low_dose_table import SEED, WINDOWS, Row, table
from trainers.evaluation.phantom import PhantomResult, evaluate_phantom
from trainers.evaluation.simulation_check import check_simulation
from trainers.simulation.low_dose import ELECTRONIC_PHOTONS
from trainers.training.script import exit_code

SHIPPED = Path(__file__).parents[2] / "pipelines" / "ldct_denoise" / "weights.safetensors"
DOSES = (0.1, 0.25, 0.5)
PHANTOM_STRENGTH = {"bilateral": 2.5, "non-local means": 0.9}

console = Console(stderr=True, highlight=False)


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line, measure, write."""
    given = sys.argv[1:] if argv is None else argv
    if not {"--series", "--phantom"}.intersection(given):
        return evaluate(EVALUATION, given)
    parser = tables_parser()
    arguments = parser.parse_args(given)
    wrong = [s for s in arguments.series if s.partition(":")[0] not in WINDOWS]
    if wrong:
        parser.error(f"--series wants abdomen:PATH or chest:PATH, got {wrong[0]!r}")
    rows, phantom = measure(arguments)
    report = kept_record(arguments.out.with_suffix(".json")) | facts(arguments)
    report["table"] = [row_to_json(row) for row in rows]
    if arguments.phantom:
        report["phantom"] = [asdict(result) for result in phantom]
        checks = [check_simulation(arguments.phantom, e) for e in (0.0, ELECTRONIC_PHOTONS)]
        report["simulation"] = [asdict(check) for check in checks]
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.with_suffix(".json").write_text(json.dumps(report, indent=1) + "\n")
    text = markdown(rows, phantom)
    arguments.out.with_suffix(".md").write_text(text)
    print(text)
    return 0


def tables_parser() -> argparse.ArgumentParser:
    """The arguments of the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--series", nargs="+", default=[], metavar="WINDOW:PATH")
    parser.add_argument("--phantom", type=Path, help="folder of the low-contrast phantom")
    parser.add_argument("--weights", type=Path, default=SHIPPED, help="(default: the shipped ones)")
    parser.add_argument("--doses", type=float, nargs="+", default=list(DOSES))
    parser.add_argument("--slices", type=int, default=8, help="slices a series (default 8)")
    parser.add_argument("--seed", type=int, default=SEED, help=f"of the noise (default {SEED})")
    parser.add_argument("--out", type=Path, required=True, help="written: OUT.json and OUT.md")
    return parser


def measure(arguments: argparse.Namespace) -> tuple[list[Row], list[PhantomResult]]:
    """Every series, then the phantom."""
    ours = network(arguments.weights)
    doses, count, seed = arguments.doses, arguments.slices, arguments.seed
    rows: list[Row] = []
    with console.status("measuring ...") as status:
        for source in arguments.series:
            window, _, place = source.partition(":")
            rows += table(read(place), window, doses, count, ours, status.update, seed)
        phantom = measure_phantom(arguments.phantom, ours) if arguments.phantom else []
    return rows, phantom


def facts(arguments: argparse.Namespace) -> dict[str, Any]:
    """What was measured, and with what."""
    digest = hashlib.sha256(arguments.weights.read_bytes()).hexdigest()
    strengths = {name: list(tried) for name, tried in STRENGTHS.items()}
    return {
        "weights_sha256": digest,
        "seed": arguments.seed,
        "strengths_tried": strengths,
        "strengths_on_phantom": PHANTOM_STRENGTH,
    }


def kept_record(path: Path) -> dict[str, Any]:
    """The training record in an earlier file, if there is one."""
    earlier = json.loads(path.read_text()) if path.exists() else {}
    return {"training": earlier["training"]} if "training" in earlier else {}


def measure_phantom(folder: Path, ours: Denoiser) -> list[PhantomResult]:
    """The phantom at 10 % dose by every method, and at full dose untouched for comparison."""
    methods: dict[str, Denoiser] = {"input, 10 % dose": unchanged}
    methods |= {name: RIVALS[name](strength) for name, strength in PHANTOM_STRENGTH.items()}
    methods["ours"] = ours
    results = [evaluate_phantom(folder, name, method, "010") for name, method in methods.items()]
    return [*results, evaluate_phantom(folder, "input, 100 % dose", unchanged, "100")]


def row_to_json(row: Row) -> dict[str, Any]:
    """One line of the table with every measurement's full record."""
    return asdict(row) | {"measurements": [m.to_json() for m in row.measurements]}


def markdown(rows: Sequence[Row], phantom: Sequence[PhantomResult]) -> str:
    """Both tables, for a person."""
    lines = [
        "| series | window | dose | method | PSNR (dB) | SSIM | RMSE in the body (HU) | slices |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        peak, similarity, error = row.measurements
        lines.append(
            f"| {row.series} | {row.window} | {row.dose:.0%} | {row.method} "
            f"| {peak.value:.2f} ± {peak.spread:.2f} | {similarity.value:.3f} "
            f"| {error.value:.1f} | {row.slices} |"
        )
    if phantom:
        lines += [
            "",
            "| phantom | noise (HU) | mean noise frequency (1/mm) | d' | bias (HU) |",
            "|---|---|---|---|---|",
        ]
    lines += [
        f"| {p.method} | {p.noise_hu:.1f} | {p.mean_frequency:.3f} "
        f"| {p.detectability:.2f} ± {p.spread:.2f} | {p.bias_hu:+.1f} |"
        for p in phantom
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    raise SystemExit(exit_code(main))
