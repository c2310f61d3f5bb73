"""May this pipeline take these series? Answered from headers alone, without torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pipelines import catalog
from pipelines.contract import GateVerdict

if TYPE_CHECKING:
    from pydicom import Dataset

    from dicom_profiles.recognition.series import Recognition
    from dicom_profiles.sources.source import Source


SURE = 0.8
"""From this confidence on a recognition is believed, unless a pipeline names another limit."""


def accepted_confidence(name: str) -> float:
    """From which confidence on a pipeline takes what it recognises without asking a person.

    A pipeline whose rule is narrow, and whose gate follows, may name a lower one (`ACCEPTED`).
    """
    return float(getattr(catalog.module(name, "recognition"), "ACCEPTED", SURE))


def gate(name: str, inputs: Mapping[str, Source]) -> GateVerdict:
    """Ask the gate of a pipeline.

    Args:
        name: a pipeline, see `pipelines.catalog.names`.
        inputs: the series by input key, as on the model card.

    Raises:
        PipelineError: there is no pipeline of that name, or it lacks a part.
    """
    verdict: GateVerdict = catalog.module(name, "gate").gate(inputs, catalog.card(name))
    return verdict


def remarks(name: str, inputs: Mapping[str, Source]) -> tuple[str, ...]:
    """What of series that a gate takes is still to be looked at: a result of them is never green.

    A gate that has such sentences gives them (`remarks`), from headers alone.
    """
    told = getattr(catalog.module(name, "gate"), "remarks", None)
    return () if told is None else tuple(told(inputs))


def recognise(name: str, headers: Sequence[Dataset]) -> tuple[Recognition, str | None]:
    """Ask a pipeline whether these images are of a kind that it translates.

    Args:
        name: a pipeline, see `pipelines.catalog.names`.
        headers: of all images of a stack.

    Returns:
        What the images are taken for, and the key of the input that they are, None when they are
        none (the confidence still has to be judged).

    Raises:
        PipelineError: there is no pipeline of that name, or it lacks a part.
    """
    module = catalog.module(name, "recognition")
    recognition: Recognition = module.recognise(headers)
    kinds: Mapping[str, str] = module.KINDS
    return recognition, kinds.get(recognition.kind)
