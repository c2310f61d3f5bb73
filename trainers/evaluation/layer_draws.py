"""Model against real, and real against real, at equal counts and in many random draws.

Fréchet distances are biased by the number of images, so a ratio of two of them means something only
when both were taken from the same number (docs/metrics_and_losses.md). Each draw splits the real
patients into two halves, takes N images from each half and N synthetic ones, and measures half
against half (the baseline) and half against synthetic (the model).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trainers.evaluation.case import EvaluationError
from trainers.evaluation.layer_scores import Signature, distances, on_one_scale
from trainers.metrics.resampling import Resampling

Chosen = npt.NDArray[np.intp]


@dataclass(frozen=True)
class LayerDraws:
    """What the draws of one layer gave.

    Attributes:
        layer: 1 at the feet.
        n: images of each set in a draw.
        real_patients: patients whose real images there are; 1 means that the halves share one.
        model: score to its value in each draw, real against synthetic.
        baseline: score to its value in each draw, real against real.
    """

    layer: int
    n: int
    real_patients: int
    model: dict[str, npt.NDArray[np.float64]]
    baseline: dict[str, npt.NDArray[np.float64]]


@dataclass(frozen=True)
class ModelResult:
    """One model in all layers.

    Attributes:
        model: its name.
        layers: of every layer that has enough images.
        left_out: layers that have not.
    """

    model: str
    layers: Sequence[LayerDraws]
    left_out: Sequence[int]


def draw_layer(
    layer: int, real: Signature, synthetic: Signature, plan: Resampling
) -> LayerDraws | None:
    """All draws of one layer; none where a set has too few images for two halves.

    Args:
        layer: which.
        real: all real images of the layer.
        synthetic: all synthetic images of the layer.
        plan: how often, how many, with replacement or not, seed.
    """
    real, synthetic = on_one_scale(real, [synthetic])
    source = np.random.default_rng([plan.seed, layer])
    halves = [_halves(real, source) for _ in range(plan.repeats)]
    smallest = min(len(synthetic), *(len(half) for pair in halves for half in pair))
    if smallest < 2:
        return None
    size = plan.images_a_draw(smallest)
    found = [_draw(real, synthetic, pair, size, plan.replacement, source) for pair in halves]
    model, baseline = (
        {name: np.array([draw[side][name] for draw in found]) for name in found[0][side]}
        for side in (0, 1)
    )
    return LayerDraws(layer, size, len(set(real.patients.tolist())), model, baseline)


def _draw(
    real: Signature,
    synthetic: Signature,
    halves: tuple[Chosen, Chosen],
    size: int,
    replacement: bool,
    source: np.random.Generator,
) -> tuple[dict[str, float], dict[str, float]]:
    """Model and baseline of one draw."""
    one, other = (real.rows(source.choice(half, size, replacement)) for half in halves)
    made = synthetic.rows(source.choice(len(synthetic), size, replacement))
    return distances(one, made), distances(one, other)


def _halves(real: Signature, source: np.random.Generator) -> tuple[Chosen, Chosen]:
    """Two disjoint halves of the images: by patient where there are two or more."""
    patients = source.permutation(np.unique(real.patients))
    if len(patients) > 1:
        first = np.isin(real.patients, patients[: len(patients) // 2])
        return np.flatnonzero(first), np.flatnonzero(~first)
    order = source.permutation(len(real))
    return order[: len(order) // 2], order[len(order) // 2 :]


def averaged(layers: Sequence[LayerDraws]) -> list[LayerDraws]:
    """The layers that count in the average: where the halves share a patient none does.

    Real against real is too small there, and a ratio to it too large. All layers count where there
    is one real patient only.
    """
    return [layer for layer in layers if layer.real_patients > 1] or list(layers)


@dataclass(frozen=True)
class Score:
    """One score over draws.

    Attributes:
        model, baseline: means over draws.
        model_spread, baseline_spread: standard deviations over draws.
        ratio: model / baseline, of the means.
        ratio_spread: standard deviation of the draws' own ratios; NaN where a baseline is not
            above 0.
    """

    model: float
    model_spread: float
    baseline: float
    baseline_spread: float
    ratio: float
    ratio_spread: float


def score(layers: Sequence[LayerDraws], name: str) -> Score:
    """A score of one layer, or of several: average over average."""
    if not layers:
        raise EvaluationError("At least one layer with enough images is wanted, got none.")
    model, baseline = (
        np.mean([getattr(layer, side)[name] for layer in layers], axis=0)
        for side in ("model", "baseline")
    )
    positive = bool((baseline > 0).all())
    return Score(
        model=float(model.mean()),
        model_spread=float(model.std(ddof=1)),
        baseline=float(baseline.mean()),
        baseline_spread=float(baseline.std(ddof=1)),
        ratio=float(model.mean() / baseline.mean()) if positive else float("nan"),
        ratio_spread=float((model / baseline).std(ddof=1)) if positive else float("nan"),
    )


def scores(layers: Sequence[LayerDraws]) -> Iterator[tuple[str, Score]]:
    """Every score of one layer or of several."""
    for name in layers[0].model if layers else ():
        yield name, score(layers, name)
