r"""Fill a model card's `evaluation` from the JSON of one evaluation or more.

    python -m trainers.evaluation.card_figures results/ct_to_pet.json [--root CHECKOUT]
    python -m trainers.evaluation.card_figures results/t1.json results/dual_echo.json

Takes the figures of the test split in the whole, in every district and over all lesions: ours
beside the best baseline, which is named. Refuses figures of other weights than the card's.
"""

from __future__ import annotations

import argparse
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from pipelines import catalog
from pipelines.card import read_card
from pipelines.card_page import cards_page
from trainers.evaluation.case import OURS, EvaluationError
from trainers.evaluation.results import read_results
from trainers.evaluation.summary import Cell, Summary, summaries
from trainers.training.script import exit_code

ROOT = Path(__file__).parents[2]
SPLIT = "test"
DIGITS = 4
"""Significant digits on the card."""

EVALUATION = re.compile(r"^evaluation:.*?(?=^\w|\Z)", re.MULTILINE | re.DOTALL)


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line, fill the card."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "results",
        type=Path,
        nargs="+",
        help="OUT.json of `vscanner evaluate NAME`, all of one NAME",
    )
    parser.add_argument("--root", type=Path, default=ROOT, help="checkout whose card is filled")
    given = parser.parse_args(argv)

    def fill() -> None:
        print(f"filled {fill_card(given.results, given.root).relative_to(given.root)}")

    return exit_code(fill)


def fill_card(results: Sequence[Path], root: Path = ROOT) -> Path:
    """Replace `evaluation:` of the card by figures of the test split; returns the card's path.

    In our own checkout the page of all cards is written too.

    Args:
        results: JSON files of one pipeline, in the order in which the card tells them.
        root: checkout whose card is filled.

    Raises:
        EvaluationError: figures of other weights, none of the test split, or a card without
            `evaluation:`.
    """
    facts = [json.loads(file.read_text(encoding="utf-8")) for file in results]
    path = root / "pipelines" / str(facts[0]["pipeline"]) / "card.yaml"
    pinned = read_card(path).weights.sha256
    for one in facts:
        if one["weights_sha256"] != pinned:
            raise EvaluationError(
                f"Figures of the card's weights {pinned[:12]} are wanted, got those of "
                f"{one['weights_sha256'][:12]}; measure the card's weights first."
            )
    figures = [figure for file in results for figure in card_figures(file)]
    if not figures:
        raise EvaluationError(
            f"The card takes figures of the split {SPLIT!r}, got none; name the data with "
            f"--data {SPLIT}:PLACE if the model was neither trained nor chosen on it."
        )
    write_figures(path, figures)
    if root == ROOT:
        page = cards_page(catalog.card(name) for name in catalog.names())
        (root / "docs" / "model_cards.md").write_text(page, encoding="utf-8")
    return path


def write_figures(path: Path, figures: Sequence[Mapping[str, Any]]) -> None:
    """Replace `evaluation:` of the card and read the card again, so that a bad one is seen."""
    text = yaml.safe_dump({"evaluation": list(figures)}, sort_keys=False, width=100)
    card, count = EVALUATION.subn(lambda _: text, path.read_text(encoding="utf-8"))
    if count != 1:
        raise EvaluationError(f"{path.name} wants `evaluation:` once, got it {count} times.")
    path.write_text(card, encoding="utf-8")
    read_card(path)


def card_figures(path: Path) -> Iterator[dict[str, Any]]:
    """A figure for each cell of the test split: ours beside the best baseline."""
    results = read_results(path)
    better: Mapping[str, str] = results.facts["better"]
    named: dict[tuple[str, str], set[str]] = {}
    for row in results.rows:
        named.setdefault((row.place.split, row.place.group), set()).add(row.place.data)
    cells: dict[Cell, dict[str, Summary]] = {}
    for line in summaries(results.rows):
        if line.cell.split == SPLIT:
            cells.setdefault(line.cell, {})[line.method] = line
    for cell, methods in cells.items():
        ours = methods.pop(OURS, None)
        rivals = [line for line in methods.values() if math.isfinite(line.mean)]
        if ours is None or not rivals or not math.isfinite(ours.mean):
            continue
        sign = 1 if better.get(cell.measure, "lower") == "lower" else -1
        rival = min(rivals, key=lambda line: sign * line.mean)
        yield _figure(cell, ours, rival, named[(cell.split, cell.group)])


def _figure(cell: Cell, ours: Summary, rival: Summary, names: set[str]) -> dict[str, Any]:
    data = ", ".join(part for part in (*sorted(names), cell.group) if part) or SPLIT
    patients = "patient" if ours.n == 1 else "patients"
    return {
        "measure": f"{cell.measure}, {cell.region}",
        "data": f"{data}: {ours.n} {patients}",
        "compared_with": rival.method,
        "input": _rounded(rival.mean),
        "output": _rounded(ours.mean),
        "unit": ours.unit,
    }


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


if __name__ == "__main__":
    raise SystemExit(main())
