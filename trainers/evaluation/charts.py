"""The report's charts and pictures, drawn with matplotlib, as data addresses for `<img>`.

Charts are SVG, pictures PNG; both carry no date, so that the same figures give the same bytes.
"""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from textwrap import wrap

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trainers.evaluation.agreement import NORMAL_95, Plot
from trainers.evaluation.case import OURS, View, Voxels
from trainers.evaluation.measuring import Exhibit
from trainers.evaluation.results import Pair
from trainers.metrics.measurement import Floats

ACCENT, GREY = "#0b5596", "#8a949e"
SHOWN_METHODS = 4
PICTURE_DPI = 110


def look() -> AbstractContextManager[None]:
    """Small type, no frames, and nothing random in the file."""
    return mpl.rc_context(
        {
            "svg.hashsalt": "evaluation",
            "svg.fonttype": "none",
            "font.family": "sans-serif",
            "font.size": 9,
            "axes.spines.top": False,
            "axes.spines.right": False,
        }
    )


def box_plot(values: Mapping[str, Sequence[float]], label: str, unit: str) -> str:
    """A box for each method with a dot for each patient; ours stands out.

    Args:
        values: patients' figures by method.
        label: of the measure.
        unit: of the measure.
    """
    shown = {name: list(numbers) for name, numbers in values.items() if len(numbers)}
    with look():
        figure = Figure(figsize=(1.2 + 1.05 * len(shown), 2.9), layout="constrained")
        axes = figure.subplots()
        drawn = axes.boxplot(
            list(shown.values()),
            widths=0.55,
            showfliers=False,
            patch_artist=True,
            medianprops={"color": "#17212b", "lw": 1.4},
        )
        for name, box in zip(shown, drawn["boxes"], strict=True):
            box.set(facecolor=ACCENT if name == OURS else GREY, alpha=0.35)
        for place, (name, numbers) in enumerate(shown.items(), start=1):
            across = place + np.linspace(-0.16, 0.16, len(numbers))
            axes.plot(across, numbers, ".", color=ACCENT if name == OURS else "#444", ms=4)
        names = [wrapped(name) for name in shown]
        axes.set_xticks(range(1, len(shown) + 1), names, fontsize=7.5)
        axes.set_ylabel(with_unit(label, unit))
        return svg_address(figure)


def with_unit(label: str, unit: str) -> str:
    """A label and its unit, where it has one (UCUM 1 is none)."""
    return label if unit == "1" else f"{label} ({unit})"


def wrapped(name: str, letters: int = 15) -> str:
    """A name in short lines, for an axis or a picture."""
    return "\n".join(wrap(name, letters))


def bland_altman(plot: Plot, pairs: Sequence[Pair]) -> str:
    """Difference over mean of truth and output; bias and limits as lines, a colour a patient."""
    truth = np.array([pair.truth for pair in pairs])
    difference = np.array([pair.output for pair in pairs]) - truth
    patients = list(dict.fromkeys(pair.place.patient for pair in pairs))
    colours = [patients.index(pair.place.patient) % 10 for pair in pairs]
    with look():
        figure = Figure(figsize=(4.2, 2.9), layout="constrained")
        axes = figure.subplots()
        middle = truth + difference / 2
        axes.scatter(middle, difference, c=colours, cmap="tab10", vmin=0, vmax=9, s=16)
        _limits(axes, difference)
        axes.axhline(0, color="#bbb", lw=0.6)
        axes.locator_params("x", nbins=6)
        axes.set_xlabel(with_unit("mean of truth and output", plot.unit))
        axes.set_ylabel(with_unit("output - truth", plot.unit))
        axes.set_title(f"{plot.quantity}, {plot.region}", fontsize=9)
        return svg_address(figure)


def _limits(axes: Axes, difference: Floats) -> None:
    """Lines at the bias and, from 2 pairs on, at the limits of agreement."""
    bias = float(difference.mean())
    lines = [(bias, "-", "bias")]
    if difference.size > 1:
        reach = NORMAL_95 * float(difference.std(ddof=1))
        lines += [(bias + reach, "--", "+1.96 sd"), (bias - reach, "--", "-1.96 sd")]
    for height, style, name in lines:
        axes.axhline(height, color=ACCENT, lw=1, ls=style)
        axes.annotate(
            f"{name} {height:.3g}",
            (1, height),
            xycoords=("axes fraction", "data"),
            ha="right",
            va="bottom",
            fontsize=7,
            color=ACCENT,
        )


def worst_case(exhibit: Exhibit, view: View) -> str:
    """Inputs, truth and outputs above; below each output, what it has wrong."""
    chosen = _chosen(list(exhibit.outputs))
    columns = len(exhibit.inputs) + 1 + len(chosen)
    with look():
        figure = Figure(figsize=(1.9 * columns + 0.6, 4.1), layout="constrained")
        axes = figure.subplots(2, columns, squeeze=False)
        for axis in axes.flat:
            axis.set_axis_off()
        place = 0
        for key, image in exhibit.inputs.items():
            low, high = view.inputs.get(key) or _window(image)
            _show(axes[0][place], image, low, high, "gray", f"input {key}")
            place += 1
        _show(axes[0][place], exhibit.truth, view.low, view.high, view.colours, "truth")
        for column, name in enumerate(chosen, start=place + 1):
            output, reach = exhibit.outputs[name], view.difference
            _show(axes[0][column], output, view.low, view.high, view.colours, name)
            wrong = np.where(exhibit.inside, output - exhibit.truth, 0)
            _show(axes[1][column], wrong, -reach, reach, "RdBu_r", "minus truth")
        bar = axes[1][-1].images[0]
        # taken from both rows, so that a difference stays below its output
        unit = "" if exhibit.unit == "1" else exhibit.unit
        figure.colorbar(bar, ax=list(axes[:, -1]), fraction=0.05, shrink=0.5, label=unit)
        return png_address(figure)


def _chosen(methods: Sequence[str]) -> list[str]:
    """At most `SHOWN_METHODS` of the methods; ours is one of them, and comes last."""
    others = [name for name in methods if name != OURS]
    return [*others[: SHOWN_METHODS - 1], OURS]


def _window(image: Voxels) -> tuple[float, float]:
    low, high = (float(value) for value in np.percentile(image, (1, 99.5)))
    return (low, high) if high > low else (low, low + 1)


def _show(axis: Axes, image: Voxels, low: float, high: float, colours: str, title: str) -> None:
    axis.imshow(image, cmap=colours, vmin=low, vmax=high, interpolation="nearest")
    axis.set_title(wrapped(title, 20), fontsize=8)


def svg_address(figure: Figure) -> str:
    """The figure as SVG in a data address."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return f"data:image/svg+xml;base64,{b64encode(buffer.getvalue()).decode()}"


def png_address(figure: Figure) -> str:
    """The figure as PNG in a data address."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=PICTURE_DPI, metadata={"Software": None})
    return f"data:image/png;base64,{b64encode(buffer.getvalue()).decode()}"
