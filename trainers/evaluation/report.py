"""The report: one HTML file with every table, chart and picture inside, and no link to anywhere."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from trainers.evaluation.agreement import Agreement, agreements, plots
from trainers.evaluation.case import OURS, Evaluation
from trainers.evaluation.charts import bland_altman, box_plot, with_unit, worst_case
from trainers.evaluation.measuring import Exhibit
from trainers.evaluation.paired_tests import SIGNIFICANT, PairedTest, paired_tests
from trainers.evaluation.results import SPLITS, Pair, Results, Row
from trainers.evaluation.summary import Cell, Summary, by_patient, summaries

TEMPLATE = "report.html"
LESIONS_LISTED = 60
"""Lines of the table of single lesions; the JSON has them all."""


@dataclass(frozen=True)
class Findings:
    """What follows from the figures.

    Attributes:
        results: the figures.
        summaries: over patients.
        tests: ours against each baseline.
        agreements: of the quantities.
    """

    results: Results
    summaries: Sequence[Summary]
    tests: Sequence[PairedTest]
    agreements: Sequence[Agreement]

    def to_json(self) -> dict[str, Any]:
        """Everything, figures last."""
        whole = self.results.to_json()
        figures = {key: whole.pop(key) for key in ("measurements", "quantities")}
        return {
            **whole,
            "summary": [line.to_json() for line in self.summaries],
            "tests": [test.to_json() for test in self.tests],
            "agreement": [line.to_json() for line in self.agreements],
            **figures,
        }


def findings(evaluation: Evaluation, results: Results) -> Findings:
    """Summaries, tests and agreement of the figures."""
    measures = (*evaluation.measures, *evaluation.lesion_measures)
    return Findings(
        results,
        summaries(results.rows),
        paired_tests(results.rows, measures),
        agreements(results.pairs),
    )


@dataclass(frozen=True)
class Section:
    """Everything about one split and group.

    Attributes:
        split: side of the split.
        group: kind of case; "" when there is one kind only.
        cells: summaries by cell, then by method.
        tests: by cell.
        boxes: title and picture address of each box plot.
        agreements: lines about our output.
        scatter: title and picture address of each Bland-Altman plot.
        lesions: lines of single lesions.
    """

    split: str
    group: str
    cells: Mapping[Cell, Mapping[str, Summary]]
    tests: Mapping[Cell, Sequence[PairedTest]]
    boxes: Sequence[tuple[str, str]]
    agreements: Sequence[Agreement]
    scatter: Sequence[tuple[str, str]]
    lesions: Sequence[Mapping[str, Any]]

    @property
    def most_patients(self) -> int:
        """Patients of the table that has most."""
        return max(line.n for methods in self.cells.values() for line in methods.values())

    def of_kind(self, kind: str) -> dict[str, dict[str, Mapping[str, Summary]]]:
        """Region to measure to method to summary."""
        found: dict[str, dict[str, Mapping[str, Summary]]] = {}
        for cell, methods in self.cells.items():
            if cell.kind == kind:
                found.setdefault(cell.region, {})[cell.measure] = methods
        return found


def html_report(evaluation: Evaluation, found: Findings, exhibits: Sequence[Exhibit] = ()) -> str:
    """The whole page.

    Args:
        evaluation: what was measured, and how pictures are shown.
        found: figures and what follows from them.
        exhibits: worst cases, the worst first.
    """
    return (
        page_environment()
        .get_template(TEMPLATE)
        .render(
            evaluation=evaluation,
            facts=found.results.facts,
            sections=list(sections(found)),
            records=records(found),
            exhibits=[(exhibit, worst_case(exhibit, evaluation.view)) for exhibit in exhibits],
            better={m.label: m.better for m in (*evaluation.measures, *evaluation.lesion_measures)},
            best=best_methods(evaluation, found),
            ours=OURS,
            section_measures=columns,
            significant=SIGNIFICANT,
        )
    )


def page_environment() -> Environment:
    """Templates of this folder; a name that is not given is an error."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"figure": figure_text, "p": p_text, "range": range_text}
    environment.filters |= {"bound": bound_text, "unit": unit_text, "with_unit": with_unit}
    return environment


def sections(found: Findings) -> Iterator[Section]:
    """One for each split and group, the test split first."""
    keys = dict.fromkeys((line.cell.split, line.cell.group) for line in found.summaries)
    for split, group in sorted(keys, key=lambda key: _rank(key[0])):
        yield _section(found, split, group)


def _rank(split: str) -> int:
    return SPLITS.index(split) if split in SPLITS else len(SPLITS)


def _section(found: Findings, split: str, group: str) -> Section:
    cells: dict[Cell, dict[str, Summary]] = {}
    for line in found.summaries:
        if (line.cell.split, line.cell.group) == (split, group):
            cells.setdefault(line.cell, {})[line.method] = line
    tests: dict[Cell, list[PairedTest]] = {}
    for test in found.tests:
        tests.setdefault(test.cell, []).append(test)
    return Section(
        split,
        group,
        cells,
        tests,
        list(_boxes(found, cells)),
        [line for line in found.agreements if line.plot[:2] == (split, group)],
        list(_scatter(found, split, group)),
        _lesions(found.results, split, group),
    )


def columns(regions: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The measures of a table: all that any of its regions has, in order."""
    return list(dict.fromkeys(measure for measures in regions.values() for measure in measures))


def _boxes(
    found: Findings, cells: Mapping[Cell, Mapping[str, Summary]]
) -> Iterator[tuple[str, str]]:
    """Every measure of the whole, of districts and lesions only the first; patients are several."""
    table = by_patient(found.results.rows)
    shown: dict[tuple[str, str], str] = {}
    for cell, methods in cells.items():
        first = shown.setdefault((cell.kind, cell.region), cell.measure)
        if cell.kind != "whole" and cell.measure != first:
            continue
        values = {name: list(table[cell][name].values()) for name in methods}
        if any(len(patients) > 1 for patients in values.values()):
            unit = next(iter(methods.values())).unit
            yield f"{cell.measure}, {cell.region}", box_plot(values, cell.measure, unit)


def _scatter(found: Findings, split: str, group: str) -> Iterator[tuple[str, str]]:
    for plot, pairs in plots(found.results.pairs).items():
        if (plot.split, plot.group, plot.method) == (split, group, OURS) and len(pairs) > 1:
            yield f"{plot.quantity}, {plot.region}", bland_altman(plot, pairs)


def _lesions(results: Results, split: str, group: str) -> list[dict[str, Any]]:
    """One line for each lesion: our measures, and truth and output of every quantity."""
    lines: dict[tuple[str, str, str], dict[str, Any]] = {}
    entries: list[Row | Pair] = [*results.rows, *results.pairs]
    for entry in entries:
        place = entry.place
        if (place.split, place.group, place.kind, entry.method) != (split, group, "lesion", OURS):
            continue
        key = (place.patient, place.case, place.region)
        line = lines.setdefault(key, {"place": place, "measures": {}, "quantities": {}})
        if isinstance(entry, Row):
            line["measures"][entry.measure] = entry.measurement
        else:
            line["quantities"][entry.quantity] = entry
    return list(lines.values())[:LESIONS_LISTED]


def best_methods(evaluation: Evaluation, found: Findings) -> dict[Cell, str]:
    """The method with the best mean of every cell."""
    better = {m.label: m.better for m in (*evaluation.lesion_measures, *evaluation.measures)}
    best: dict[Cell, Summary] = {}
    for line in found.summaries:
        sign = 1 if better[line.cell.measure] == "lower" else -1
        leader = best.get(line.cell)
        if math.isfinite(line.mean) and (leader is None or sign * line.mean < sign * leader.mean):
            best[line.cell] = line
    return {cell: line.method for cell, line in best.items()}


def records(found: Findings) -> list[dict[str, Any]]:
    """What each measure counted: its range, masks and settings, once each."""
    seen: dict[tuple[str, str], dict[str, Any]] = {}
    for row in (row for row in found.results.rows if row.measurement.n):
        record = row.measurement.to_json()
        line = seen.setdefault(
            (row.measure, str(record["data_range"])),
            {
                "measure": row.measure,
                "name": record["name"],
                "data_range": record["data_range"],
                "masks": {},
                "settings": record["settings"],
            },
        )
        line["masks"][record["mask"]] = None
    return list(seen.values())


def figure_text(value: float | None) -> str:
    """A number for a person: three to four digits; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    size = abs(value)
    if size >= 100:
        return f"{value:.1f}" if size < 1e5 else f"{value:.2e}"
    if size >= 1 or size == 0:
        return f"{value:.2f}"
    return f"{value:.3f}" if size >= 0.01 else f"{value:.2g}"


def p_text(p: float) -> str:
    """A p value for a person."""
    if not math.isfinite(p):
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def range_text(ends: Sequence[Any] | None) -> str:
    """A data range for a person."""
    if ends is None:
        return "no intensities"
    low, high, unit = ends
    if low is None and high is None:
        return f"every value ({unit})" if unit != "1" else "every value"
    return f"{bound_text(low)} to {bound_text(high)} {unit_text(unit)}".rstrip()


def bound_text(value: float | None) -> str:
    """An end of a range, as it was set."""
    return "any" if value is None else f"{value:g}"


def unit_text(unit: str) -> str:
    """A unit; nothing for what has none (UCUM 1)."""
    return "" if unit == "1" else unit
