"""The page of the ten-layer protocol: table, a chart for each score, an image of each layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from trainers.evaluation.charts import ACCENT, look, png_address, svg_address
from trainers.evaluation.layer_draws import (
    LayerDraws,
    ModelResult,
    Score,
    averaged,
    score,
    scores,
)
from trainers.evaluation.layer_scores import LOWER_IS_BETTER, UNITS, WITHOUT_RATIO
from trainers.evaluation.report import page_environment
from trainers.metrics.measurement import DataRange, Floats

TEMPLATE = "layers_page.html"
COLOURS = (ACCENT, "#c77700", "#146c43", "#a8211a", "#6b4fa0", "#17808a", "#8a949e")


def layers_page(
    whole: Mapping[str, Any],
    results: Sequence[ModelResult],
    examples: Mapping[int, Mapping[str, Floats]],
    window: DataRange,
) -> str:
    """The page.

    Args:
        whole: what the JSON file holds.
        results: every model.
        examples: layer to set to one of its images, HU.
        window: of the images, HU.
    """
    averages: dict[str, dict[str, Score]] = {
        result.model: dict(scores(averaged(result.layers))) for result in results
    }
    counted = {result.model: {one.layer for one in averaged(result.layers)} for result in results}
    return (
        page_environment()
        .get_template(TEMPLATE)
        .render(
            whole=whole,
            averages=averages,
            counted=counted,
            results=results,
            scores=list(UNITS),
            units=UNITS,
            lower=LOWER_IS_BETTER,
            without_ratio=WITHOUT_RATIO,
            charts=[(name, chart(name, results)) for name in UNITS],
            picture=picture(examples, window),
        )
    )


def chart(name: str, results: Sequence[ModelResult]) -> str:
    """One score over the layers: every model, and real against real, with their spreads."""
    with look():
        figure = Figure(figsize=(4.6, 3.0), layout="constrained")
        axes = figure.subplots()
        for result, colour in zip(results, COLOURS, strict=False):
            places = [layer.layer for layer in result.layers]
            found = [score([layer], name) for layer in result.layers]
            axes.errorbar(
                places,
                [one.model for one in found],
                [one.model_spread for one in found],
                fmt="o-",
                color=colour,
                ms=3,
                lw=1,
                capsize=2,
                label=result.model,
            )
        _baseline(axes, name, results[0].layers)
        axes.set_xticks(range(1, 11))
        axes.set_xlabel("layer, from the feet upwards")
        axes.set_ylabel(name if UNITS[name] == "1" else f"{name} ({UNITS[name]})")
        axes.legend(frameon=False, fontsize=7, ncols=2, loc="lower left", bbox_to_anchor=(0, 1))
        return svg_address(figure)


def _baseline(axes: Any, name: str, layers: Sequence[LayerDraws]) -> None:
    """Real against real as a band."""
    found = [score([layer], name) for layer in layers]
    places = [layer.layer for layer in layers]
    middle = [one.baseline for one in found]
    low = [one.baseline - one.baseline_spread for one in found]
    high = [one.baseline + one.baseline_spread for one in found]
    axes.plot(places, middle, "--", color="#444", lw=1, label="real against real")
    axes.fill_between(places, low, high, color="#444", alpha=0.15, lw=0)


def picture(examples: Mapping[int, Mapping[str, Floats]], window: DataRange) -> str:
    """One image of every set in every layer, layers from left to right."""
    names = list(dict.fromkeys(name for sets in examples.values() for name in sets))
    with look():
        figure = Figure(figsize=(1.15 * len(examples), 1.35 * len(names)), layout="constrained")
        axes = figure.subplots(len(names), len(examples), squeeze=False)
        for column, (layer, sets) in enumerate(examples.items()):
            for row, name in enumerate(names):
                axis = axes[row][column]
                axis.set_xticks([])
                axis.set_yticks([])
                axis.set_frame_on(False)
                if name in sets:
                    axis.imshow(sets[name], cmap="gray", vmin=window.low, vmax=window.high)
                if row == 0:
                    axis.set_title(f"layer {layer}", fontsize=8)
                if column == 0:
                    axis.set_ylabel(name, fontsize=8)
        return png_address(figure)
