"""Several systems of one evaluation against one of them: means, paired tests, a table, a JSON.

    vscanner evaluate NAME --data ... --run A=runs/a B=runs/b --out all
    python -m trainers.evaluation.systems all.json --judged B --against A "mean image" --out FILE

Writes FILE.json (means over patients, and the judged system against each other one by Wilcoxon's
signed-rank test, Holm-corrected within a split and group) and FILE.md, the same as tables. The
model that is served stands in the evaluation as `ours` and may be named like every other.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from trainers.evaluation.case import OURS, EvaluationError
from trainers.evaluation.paired_tests import PairedTest, tests_of
from trainers.evaluation.results import Pair, Results, Row, read_results
from trainers.evaluation.summary import Cell, Summary, summaries
from trainers.training.script import exit_code

KEPT_FACTS = ("format", "pipeline", "created", "settings", "sources")


@dataclass(frozen=True)
class Comparison:
    """What was found.

    Attributes:
        facts: what was evaluated.
        judged: the system that the others are compared with.
        methods: all of them, the judged one last.
        lines: means over patients.
        tests: the judged system against each other one.
        quantities: what was read off the truth and off each method's output, means over cases.
    """

    facts: Mapping[str, Any]
    judged: str
    methods: tuple[str, ...]
    lines: tuple[Summary, ...]
    tests: tuple[PairedTest, ...]
    quantities: tuple[Mapping[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Facts, means, tests."""
        return dict(self.facts) | {
            "judged": self.judged,
            "methods": list(self.methods),
            "means": [line.to_json() for line in self.lines],
            "tests": [test.to_json() for test in self.tests],
            "quantities": list(self.quantities),
        }


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line, compare, write both files."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", nargs="+", type=Path, metavar="RESULT.json")
    parser.add_argument("--judged", required=True, metavar="METHOD")
    parser.add_argument("--against", nargs="+", required=True, metavar="METHOD")
    parser.add_argument("--out", type=Path, required=True, help="written: OUT.json and OUT.md")
    given = parser.parse_args(argv)
    found = compared([read_results(path) for path in given.results], given.judged, given.against)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(found.to_json(), indent=1)
    given.out.with_suffix(".json").write_text(text + "\n", encoding="utf-8")
    given.out.with_suffix(".md").write_text(tables(found), encoding="utf-8")
    print(f"{given.judged} against {', '.join(given.against)}: {given.out.with_suffix('.md')}")
    return 0


def compared(results: Sequence[Results], judged: str, against: Sequence[str]) -> Comparison:
    """One system against others, patient by patient.

    Args:
        results: of one pipeline; their figures are taken together.
        judged: a method of them.
        against: other methods of them.

    Raises:
        EvaluationError: there is no such method.
    """
    methods = (*against, judged)
    rows = [row for one in results for row in one.rows]
    if missing := set(methods) - {row.method for row in rows}:
        known = ", ".join(dict.fromkeys(repr(row.method) for row in rows))
        raise EvaluationError(f"Methods of {known} are wanted, got {sorted(missing)}.")
    kept = [row for row in rows if row.method in methods]
    better: dict[str, str] = results[0].facts["better"]
    facts = {key: results[0].facts[key] for key in KEPT_FACTS if key in results[0].facts}
    facts["sources"] = [source for one in results for source in one.facts.get("sources", ())]
    tests = tests_of([_renamed(row, judged) for row in kept], better)
    names = {f"{OURS} (served)": OURS}
    tests = [replace(test, baseline=names.get(test.baseline, test.baseline)) for test in tests]
    pairs = [pair for one in results for pair in one.pairs if pair.method in methods]
    read_off = tuple(quantity_means(pairs))
    return Comparison(facts, judged, methods, tuple(summaries(kept)), tuple(tests), read_off)


def quantity_means(pairs: Sequence[Pair]) -> Iterator[dict[str, Any]]:
    """Mean of truth and output over the cases of a region in which both are defined."""
    found: dict[tuple[str, ...], list[tuple[float, float]]] = {}
    for pair in pairs:
        place = pair.place
        key = (place.split, place.group, place.region, pair.quantity, pair.unit, pair.method)
        values = found.setdefault(key, [])
        if math.isfinite(pair.truth) and math.isfinite(pair.output):
            values.append((pair.truth, pair.output))
    names = ("split", "group", "region", "quantity", "unit", "method")
    for where, values in found.items():
        truth, output = zip(*values, strict=True) if values else ((), ())
        means = {"truth": fmean(truth), "output": fmean(output)} if values else {}
        yield dict(zip(names, where, strict=True)) | {"n": len(values)} | means


def _renamed(row: Row, judged: str) -> Row:
    """The judged method where the tests look for ours; what is served steps aside."""
    if row.method == judged:
        return replace(row, method=OURS)
    return replace(row, method=f"{OURS} (served)") if row.method == OURS else row


def tables(found: Comparison) -> str:
    """A table for each split and group: a line a measure and region, a column a method.

    A star marks a method that differs from the judged one by p < 0.05 after correction.
    """
    means = {(line.cell, line.method): line for line in found.lines}
    tests = {(test.cell, test.baseline): test for test in found.tests}
    sections = dict.fromkeys(line.cell[:2] for line in found.lines)
    text = [f"Judged: {found.judged}. A star: differs from it, p < 0.05 (Wilcoxon, Holm).\n"]
    for split, group in sections:
        cells = dict.fromkeys(
            line.cell
            for line in found.lines
            if (line.cell.split, line.cell.group) == (split, group)
        )
        text.append(f"\n**{split}, {group}**\n")
        text.append(f"| region | measure | n | {' | '.join(found.methods)} |")
        text.append("|---" * (3 + len(found.methods)) + "|")
        text += [_line(cell, found.methods, means, tests) for cell in cells]
    return "\n".join(text) + "\n"


def _line(
    cell: Cell,
    methods: Sequence[str],
    means: Mapping[tuple[Cell, str], Summary],
    tests: Mapping[tuple[Cell, str], PairedTest],
) -> str:
    values, patients = [], 0
    for method in methods:
        line = means.get((cell, method))
        test = tests.get((cell, method))
        star = "*" if test is not None and test.p_holm < 0.05 else ""
        values.append("–" if line is None else f"{line.mean:.4g}{star}")
        patients = patients if line is None else max(patients, line.n)
    return f"| {cell.region} | {cell.measure} | {patients} | {' | '.join(values)} |"


if __name__ == "__main__":
    raise SystemExit(exit_code(main))
