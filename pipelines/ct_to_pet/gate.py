"""The gate: is this series in the scope of the model card? From headers alone, without torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dicom_profiles.sources.source import Source
from pipelines import scope_checks
from pipelines.card import ModelCard
from pipelines.contract import GateVerdict


def gate(inputs: Mapping[str, Source], card: ModelCard) -> GateVerdict:
    """Hold the series against the card.

    Args:
        inputs: `{"CT": series}`.
        card: the model card.
    """
    return scope_checks.verdict(inputs, card, CHECKS, "one CT series of the body")


def remarks(inputs: Mapping[str, Source]) -> Iterator[str]:
    """What is taken although the model has not seen it."""
    if any(map(scope_checks.with_contrast, inputs.values())):
        yield (
            "The CT was taken with contrast medium, which the model has not seen: bright vessels, "
            "kidneys and bowel may mislead it."
        )


CHECKS: tuple[scope_checks.Check, ...] = (
    scope_checks.modality,
    scope_checks.acquired,
    scope_checks.dated,
    scope_checks.original_axial_ct,
    scope_checks.placed,
    scope_checks.orientation,
    scope_checks.size,
    scope_checks.spacing,
    scope_checks.acquisition,
)
"""All checks, in the order in which their reasons are given."""
