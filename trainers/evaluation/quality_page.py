"""The page of the paired-versus-unpaired study: heat maps, regressions, the fifteen scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from trainers.evaluation.charts import ACCENT, GREY, look, svg_address, wrapped
from trainers.evaluation.quality_scores import PAIRED, SCORES, UNPAIRED
from trainers.evaluation.quality_study import Correlation, Observation, Study
from trainers.evaluation.report import page_environment
from trainers.metrics.measurement import Floats

TEMPLATE = "quality_page.html"


def quality_page(whole: Mapping[str, Any], study: Study, table: Sequence[Observation]) -> str:
    """The page.

    Args:
        whole: what the JSON file holds.
        study: the analysis.
        table: the observations.
    """
    spearman = _grid({(c.paired, c.unpaired): c.spearman for c in study.correlations})
    within = _grid({(c.paired, c.unpaired): c.within for c in study.correlations})
    importance = np.array(
        [[one.importance[name] for name in UNPAIRED] for one in study.regressions]
    )
    return (
        page_environment()
        .get_template(TEMPLATE)
        .render(
            whole=whole,
            study=study,
            scores=SCORES,
            patients=len({row.patient for row in table}),
            methods=list(dict.fromkeys(row.method for row in table)),
            correlations=heat_map(spearman, -1, "RdBu_r"),
            within=heat_map(within, -1, "RdBu_r"),
            importances=heat_map(importance, 0, "Blues"),
            errors=error_bars(study),
            closest=[(c, scatter(c, table)) for c in closest_pairs(study)],
        )
    )


def _grid(values: Mapping[tuple[str, str], float]) -> Floats:
    return np.array([[values[paired, unpaired] for unpaired in UNPAIRED] for paired in PAIRED])


def heat_map(values: Floats, low: float, colours: str) -> str:
    """Paired scores down, unpaired across, (7, 8), each value written into its field.

    Args:
        values: up to 1.
        low: where the colours begin.
        colours: matplotlib's name of the colour map.
    """
    with look():
        figure = Figure(figsize=(8.2, 3.6), layout="constrained")
        axes = figure.subplots()
        axes.imshow(values, cmap=colours, vmin=low, vmax=1, aspect="auto")
        axes.set_xticks(range(len(UNPAIRED)), [wrapped(name) for name in UNPAIRED], fontsize=7.5)
        axes.set_yticks(range(len(PAIRED)), PAIRED, fontsize=8)
        for row, column in np.ndindex(values.shape):
            value = values[row, column]
            dark = abs(value) > 0.6
            text = f"{value:.2f}" if np.isfinite(value) else "–"
            axes.text(
                column, row, text, ha="center", va="center", color="white" if dark else "black"
            )
        return svg_address(figure)


def error_bars(study: Study) -> str:
    """Error of the tree beside that of the mean, for each paired score."""
    places = np.arange(len(study.regressions))
    with look():
        figure = Figure(figsize=(8.2, 2.8), layout="constrained")
        axes = figure.subplots()
        tree = [one.nrmse for one in study.regressions]
        spread = [one.nrmse_spread for one in study.regressions]
        mean = [one.nrmse_of_mean for one in study.regressions]
        axes.bar(places - 0.2, mean, 0.38, color=GREY, label="mean of the training folds")
        axes.bar(places + 0.2, tree, 0.38, yerr=spread, capsize=2, color=ACCENT, label="tree")
        names = [wrapped(one.paired) for one in study.regressions]
        axes.set_xticks(places, names, fontsize=7.5)
        axes.set_ylabel("RMSE / range")
        axes.legend(frameon=False, fontsize=8, ncols=2, loc="lower left", bbox_to_anchor=(0, 1))
        return svg_address(figure)


def closest_pairs(study: Study) -> list[Correlation]:
    """For each paired score the unpaired one with the largest rank correlation."""
    found = []
    for name in PAIRED:
        some = [c for c in study.correlations if c.paired == name and np.isfinite(c.spearman)]
        if some:
            found.append(max(some, key=lambda c: abs(c.spearman)))
    return found


def scatter(pair: Correlation, table: Sequence[Observation]) -> str:
    """One paired score over one unpaired score, a colour a patient."""
    patients = list(dict.fromkeys(row.patient for row in table))
    with look():
        figure = Figure(figsize=(3.3, 2.6), layout="constrained")
        axes = figure.subplots()
        axes.scatter(
            [row.scores[pair.unpaired] for row in table],
            [row.scores[pair.paired] for row in table],
            c=[patients.index(row.patient) % 10 for row in table],
            cmap="tab10",
            vmin=0,
            vmax=9,
            s=9,
            alpha=0.8,
        )
        axes.set_xlabel(pair.unpaired)
        axes.set_ylabel(pair.paired)
        return svg_address(figure)
