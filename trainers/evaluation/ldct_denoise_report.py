r"""Put measured figures of the low-dose CT denoiser into its report and its model card.

    python -m trainers.evaluation.ldct_denoise_report trainers/results/ldct_denoise.json \
        --picture DICOM_FOLDER

Rewrites what lies between the markers of docs/ldct_denoise_report.md, its pictures in docs/images,
`evaluation:` of the model card and docs/model_cards.md. The series of --picture is published: it
must have a licence for that.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from pipelines import catalog
from pipelines.card import read_card
from pipelines.card_page import cards_page
from pipelines.ldct_denoise.strength import effective_strength
from trainers.errors import TrainersError
from trainers.evaluation.denoisers import network
from trainers.evaluation.ldct_denoise import SHIPPED
from trainers.evaluation.ldct_denoise_cases import read
from trainers.evaluation.ldct_denoise_figures import noise_power_curves, panel
from trainers.evaluation.low_dose_table import TOLD
from trainers.evaluation.training_record import sha256
from trainers.training.script import exit_code

ROOT = Path(__file__).parents[2]
REPORT = Path("docs/ldct_denoise_report.md")
CARD = Path("pipelines/ldct_denoise/card.yaml")
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
PICTURE_DOSE = 0.25

Results = Mapping[str, Any]


class ReportError(TrainersError):
    """The figures and the files that they should go into do not fit."""


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line, update the files."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=Path, help="JSON of trainers.evaluation.ldct_denoise")
    parser.add_argument("--picture", metavar="FOLDER", help="series for the panel, 25 %% dose")
    parser.add_argument("--weights", type=Path, default=SHIPPED, help="(default: the shipped ones)")
    parser.add_argument("--root", type=Path, default=ROOT, help="checkout whose files are updated")
    given = parser.parse_args(argv)
    results = json.loads(given.results.read_text())
    if results["weights_sha256"] != sha256(given.weights):
        raise ReportError(
            f"Figures of {sha256(given.weights)[:12]} ({given.weights.name}) are wanted, got those "
            f"of {results['weights_sha256'][:12]}; measure these weights first."
        )
    images = given.root / "docs" / "images"
    if given.picture:
        ours = network(given.weights)
        panel(read(given.picture), ours, PICTURE_DOSE, images / "ldct_denoise_panel.png")
    noise_power_curves(results["phantom"], images / "ldct_denoise_nps.png")
    update_report(given.root / REPORT, results)
    update_card(given.root / CARD, results)
    cards = cards_page(catalog.card(name) for name in catalog.names())
    if given.root == ROOT:
        (ROOT / "docs" / "model_cards.md").write_text(cards)
    print("updated report, pictures and model card")
    return 0


def update_report(path: Path, results: Results) -> None:
    """Replace what lies between the markers."""
    text = path.read_text()
    if BEGIN not in text or END not in text:
        raise ReportError(f"{path.name} wants the markers {BEGIN} and {END}; put them back.")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    path.write_text(before + BEGIN + "\n\n" + "\n".join(_figures(results)) + "\n\n" + END + after)


def _figures(results: Results) -> Iterator[str]:
    yield f"Weights `{results['weights_sha256']}`, seed {results['seed']} of the inserted noise."
    yield ""
    yield from _run(results)
    yield from _table(results["table"])
    yield from _phantom(results)


def _run(results: Results) -> Iterator[str]:
    run = results.get("training")
    if not run:
        return
    if run["weights_sha256"] != results["weights_sha256"]:
        raise ReportError("The training record is of other weights than the figures; make it anew.")
    yield from ("### The run", "", f"{run['steps']} steps, seed {run['seed']}.", "")
    yield from ("| side | patients | series | slices |", "|---|---|---|---|")
    for side, parts in run["data"].items():
        used = [part for part in parts if part["used"]]
        patients = len({part["patient"] for part in used})
        slices = sum(part["slices"] for part in used)
        yield f"| {side} | {patients} | {len(used)} | {slices} |"
    yield ""


def _table(rows: Sequence[Results]) -> Iterator[str]:
    yield from ("### Unseen patients", "")
    yield "| series | window | dose | method | PSNR (dB) | gain (dB) | SSIM | RMSE (HU) |"
    yield "|---|---|---|---|---|---|---|---|"
    for row in rows:
        peak, similarity, error = (m["value"] for m in row["measurements"])
        gain = peak - _value(rows, row, "input", 0)
        yield (
            f"| {row['series']} | {row['window']} | {row['dose']:.0%} | {row['method']} "
            f"| {peak:.2f} | {gain:+.2f} | {similarity:.3f} | {error:.1f} |"
        )
    yield ""


def _phantom(results: Results) -> Iterator[str]:
    yield from ("### Phantom", "")
    yield "| method | noise (HU) | mean noise frequency (1/mm) | d' | bias (HU) |"
    yield "|---|---|---|---|---|"
    for p in results["phantom"]:
        yield (
            f"| {p['method']} | {p['noise_hu']:.1f} | {p['mean_frequency']:.3f} "
            f"| {p['detectability']:.2f} ± {p['spread']:.2f} | {p['bias_hu']:+.1f} |"
        )
    yield ""
    yield from ("### Simulator against the phantom's scans at 10 % dose", "")
    yield "| electronic noise (photons) | noise scanned (HU) | simulated (HU) | ratio |" + (
        " mean frequency scanned | simulated (1/mm) |"
    )
    yield "|---|---|---|---|---|---|"
    for check in results["simulation"]:
        ratio = check["simulated_hu"] / check["low_hu"]
        yield (
            f"| {check['electronic']:g} | {check['low_hu']:.1f} | {check['simulated_hu']:.1f} "
            f"| {ratio:.3f} | {check['low_frequency']:.3f} | {check['simulated_frequency']:.3f} |"
        )


def update_card(path: Path, results: Results) -> None:
    """Replace `evaluation:` of the card and read the card again, so that a bad one is seen."""
    text = yaml.safe_dump({"evaluation": card_figures(results)}, sort_keys=False, width=100)
    old = re.compile(r"^evaluation:.*?(?=^\w|\Z)", re.MULTILINE | re.DOTALL)
    card, count = old.subn(lambda _: text, path.read_text())
    if count != 1:
        raise ReportError(f"{path.name} wants `evaluation:` once, got it {count} times.")
    path.write_text(card)
    read_card(path)


def card_figures(results: Results) -> list[dict[str, Any]]:
    """PSNR and RMSE before and after for each series and dose; noise and d' of the phantom."""
    rows = results["table"]
    figures = []
    for row in (row for row in rows if _is_on_the_card(row)):
        told = ", told the dose" if row["method"] == TOLD else ""
        data = f"{row['series']}, {row['dose']:.0%} dose simulated{told}, {row['slices']} slices"
        for place, (name, unit, digits) in enumerate(
            (("PSNR", "dB", 2), ("SSIM", "1", 3), ("RMSE in the body", "HU", 1))
        ):
            window = "" if place == 2 else f", {row['window']} window"
            before, after = _value(rows, row, "input", place), row["measurements"][place]["value"]
            figures.append(_figure(name + window, data, before, after, unit, digits))
    phantom = {p["method"]: p for p in results["phantom"]}
    low, ours = phantom["input, 10 % dose"], phantom["ours"]
    for key, name, unit, digits in (
        ("noise_hu", "noise", "HU", 1),
        ("mean_frequency", "mean frequency of the noise", "1/mm", 3),
        ("detectability", "low-contrast detectability d'", "1", 2),
    ):
        data = "low-contrast phantom (DIDSR), 10 % dose"
        figures.append(_figure(name, data, low[key], ours[key], unit, digits))
    return figures


def _is_on_the_card(row: Results) -> bool:
    """Ours; and ours told the dose, where that makes a difference."""
    told = row["method"] == TOLD and effective_strength(1.0, row["dose"]) < 1
    return told or row["method"] == "ours"


def _figure(
    measure: str, data: str, before: float, after: float, unit: str, digits: int
) -> dict[str, Any]:
    return {
        "measure": measure,
        "data": data,
        "input": round(before, digits),
        "output": round(after, digits),
        "unit": unit,
    }


def _value(rows: Sequence[Results], like: Results, method: str, place: int) -> float:
    """A measurement of another method on the same series at the same dose."""
    for row in rows:
        if (row["series"], row["dose"], row["method"]) == (like["series"], like["dose"], method):
            return float(row["measurements"][place]["value"])
    raise ReportError(f"No row of {method!r} for {like['series']} at {like['dose']:.0%}.")


if __name__ == "__main__":
    raise SystemExit(exit_code(main))
