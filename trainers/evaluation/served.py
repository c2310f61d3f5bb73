"""The pipeline as it is served, as a method of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from pipelines import catalog, load
from pipelines.contract import Pipeline
from trainers.evaluation.case import Case, Method, Voxels


def served(
    pipeline: str,
    keys: Sequence[str] = (),
    parameters: Mapping[str, object] | None = None,
    device: str = "auto",
) -> Method:
    """What `pipelines.load(pipeline)` gives for a case; loaded when it is first called.

    Args:
        pipeline: its name in the catalogue.
        keys: inputs that it is given; all of the case's when left out.
        parameters: of the model; the card's defaults when left out.
        device: as `pipelines.load` takes it.
    """
    loaded = lru_cache(maxsize=1)(lambda: load(pipeline, device))

    def translate(case: Case) -> Voxels:
        scanner: Pipeline = loaded()
        inputs = {key: case.inputs[key] for key in keys or case.inputs}
        return scanner(inputs, parameters).volume.voxels

    return translate


def model_facts(pipeline: str) -> dict[str, str]:
    """Which model the figures are of."""
    card = catalog.card(pipeline)
    return {
        "pipeline": pipeline,
        "model": card.label,
        "weights_sha256": card.weights.sha256,
    }
