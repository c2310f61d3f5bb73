"""The gate: is this mammogram in the scope of the model card? From headers alone, without torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydicom import Dataset

from dicom_profiles.errors import DerivedObjectError
from dicom_profiles.mg_virtual_contrast import view_of
from dicom_profiles.sources.source import Source
from pipelines import scope_checks
from pipelines.card import ModelCard, Scope
from pipelines.cesm_vce.recognition import KINDS, recognise
from pipelines.contract import GateVerdict


def gate(inputs: Mapping[str, Source], card: ModelCard) -> GateVerdict:
    """Hold the mammogram against the card.

    Args:
        inputs: `{"LE": projection}`.
        card: the model card.
    """
    return scope_checks.verdict(inputs, card, CHECKS, "one low-energy mammogram")


def low_energy(source: Source, scope: Scope) -> Iterator[str]:
    """The low-energy image, as it is shown; no other image of the examination."""
    found = recognise(source.headers)
    if found.kind not in KINDS and found.kind != "synthetic":
        yield f"This is no low-energy image for presentation. {found.reasons[0]}"


def without_implant(source: Source, scope: Scope) -> Iterator[str]:
    """No implant: the model has not seen any."""
    if "YES" in scope_checks.values(source, "BreastImplantPresent"):
        yield "The breast has an implant; the model was not trained on implants."


def with_a_side(source: Source, scope: Scope) -> Iterator[str]:
    """Which breast it is and how it lies: every mammogram has to say so (PS3.3 C.8.11.7)."""
    if scope_checks.values(source, "ImageLaterality") not in (["L"], ["R"], ["B"]):
        yield "The image does not say which breast it shows (Image Laterality); send it with that."
    if not all(map(_says_how_it_lies, source.headers)):
        yield (
            "The image does not say how the breast lies in it (Patient Orientation); send it "
            "with that."
        )


def with_a_view(source: Source, scope: Scope) -> Iterator[str]:
    """Which view it is: what is made of it has to say so as well."""
    try:
        for header in source.headers:
            view_of(header)
    except DerivedObjectError as error:
        yield str(error)


def _says_how_it_lies(header: Dataset) -> bool:
    """Patient Orientation (0020,0020) has two values, along the rows and along the columns."""
    sides = header.get("PatientOrientation") or ()
    return len(sides) == 2 and all(sides)


CHECKS: tuple[scope_checks.Check, ...] = (
    scope_checks.modality,
    scope_checks.acquired,
    scope_checks.dated,
    low_energy,
    scope_checks.image_type,
    scope_checks.size,
    scope_checks.spacing,
    scope_checks.acquisition,
    without_implant,
    with_a_side,
    with_a_view,
    scope_checks.lossless,
)
"""All checks, in the order in which their reasons are given."""
