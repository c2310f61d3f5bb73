r"""Measure the low-dose CT denoiser on data that it has not seen, beside its rivals.

    python -m trainers.evaluation.ldct_denoise --out results \
        --series abdomen:/data/patient_a chest:/data/patient_b --phantom /data/phantom

A series is a folder of DICOM or a NIfTI file with HU; `abdomen:` or `chest:` names the window in
which it is scored (centre 50 width 400; centre -600 width 1500). Writes results.json and
results.md; the model card takes its figures from the JSON.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from trainers.evaluation.denoisers import RIVALS, Denoiser, network, unchanged
from trainers.evaluation.low_dose_table import WINDOWS, Row, table
from trainers.evaluation.phantom import PhantomResult, evaluate_phantom
from trainers.readers.dicom import read_dicom
from trainers.readers.nifti import read_nifti
from trainers.readers.series import TrainingSeries

SHIPPED = Path(__file__).parents[2] / "pipelines" / "ldct_denoise" / "weights.safetensors"
DOSES = (0.1, 0.25, 0.5)
PHANTOM_STRENGTH = {"bilateral": 2.5, "non-local means": 0.9}

console = Console(stderr=True, highlight=False)


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line, measure, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--series", nargs="+", default=[], metavar="WINDOW:PATH")
    parser.add_argument("--phantom", type=Path, help="folder of the low-contrast phantom")
    parser.add_argument("--weights", type=Path, default=SHIPPED, help="(default: the shipped ones)")
    parser.add_argument("--doses", type=float, nargs="+", default=list(DOSES))
    parser.add_argument("--slices", type=int, default=8, help="slices a series (default 8)")
    parser.add_argument("--out", type=Path, required=True, help="written: OUT.json and OUT.md")
    arguments = parser.parse_args(argv)
    ours = network(arguments.weights)
    rows: list[Row] = []
    with console.status("measuring ...") as status:
        for source in arguments.series:
            window, _, place = source.partition(":")
            if window not in WINDOWS:
                parser.error(f"--series wants abdomen:PATH or chest:PATH, got {source!r}")
            series = read(Path(place))
            rows += table(series, window, arguments.doses, arguments.slices, ours, status.update)
        phantom = measure_phantom(arguments.phantom, ours) if arguments.phantom else []
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    report = {"table": [row_to_json(row) for row in rows], "phantom": [asdict(p) for p in phantom]}
    arguments.out.with_suffix(".json").write_text(json.dumps(report, indent=1) + "\n")
    text = markdown(rows, phantom)
    arguments.out.with_suffix(".md").write_text(text)
    print(text)
    return 0


def read(path: Path) -> TrainingSeries:
    """A NIfTI file or a folder of DICOM."""
    return read_nifti(path) if path.is_file() else read_dicom(path)


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
    raise SystemExit(main())
