"""The gate: are these MR series in the scope of the card? From headers alone, without torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dicom_profiles.sources.source import Source
from pipelines import scope_checks
from pipelines.card import ModelCard, Scope
from pipelines.contract import GateVerdict
from pipelines.mr_to_ct.recognition import KINDS, recognise

WANTED = "in-phase and opposed-phase MR, in-phase MR alone, or one other T1-weighted MR"


def gate(inputs: Mapping[str, Source], card: ModelCard) -> GateVerdict:
    """Hold the series against the card.

    Args:
        inputs: sources by input key: `IP`, `OOP`, `T1`.
        card: the model card.
    """
    verdict = scope_checks.verdict(inputs, card, CHECKS, WANTED)
    wrong = tuple(reason for key, source in inputs.items() for reason in _other_kind(key, source))
    return GateVerdict.from_reasons((*verdict.reasons, *wrong))


def _other_kind(key: str, source: Source) -> Iterator[str]:
    """What the headers say that a series is, where it is another input than it was taken for."""
    if scope_checks.values(source, "Modality") != ["MR"]:
        return  # said already
    found = recognise(source.headers)
    if found.kind != "synthetic" and KINDS.get(found.kind) != key:
        yield f"This is no {key} series. {found.reasons[0]}"


def axial(source: Source, scope: Scope) -> Iterator[str]:
    """No localisers."""
    if any({"LOCALIZER", "SCOUT"} & set(kind) for kind in scope_checks.image_types(source)):
        yield "The series is a localiser (scout), or holds one; send the axial images."


CHECKS: tuple[scope_checks.Check, ...] = (
    scope_checks.modality,
    scope_checks.acquired,
    scope_checks.dated,
    axial,
    scope_checks.image_type,
    scope_checks.placed,
    scope_checks.orientation,
    scope_checks.size,
    scope_checks.spacing,
    scope_checks.acquisition,
    scope_checks.lossless,
)
"""All checks, in the order in which their reasons are given."""
