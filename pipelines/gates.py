"""May this pipeline take these series? Answered from headers alone, without torch."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from pipelines import catalog
from pipelines.contract import GateVerdict

if TYPE_CHECKING:
    from dicom_profiles.series import SourceSeries


def gate(name: str, inputs: Mapping[str, SourceSeries]) -> GateVerdict:
    """Ask the gate of a pipeline.

    Args:
        name: a pipeline, see `pipelines.catalog.names`.
        inputs: the series by input key, as on the model card.

    Raises:
        UnknownPipeline: there is no pipeline of that name.
    """
    card = catalog.card(name)
    module = import_module(f"pipelines.{name}.gate")
    verdict: GateVerdict = module.gate(inputs, card)
    return verdict
