"""A model card as a page of Markdown, for `vscanner models show` and `docs/model_cards.md`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pydicom.uid import UID

from dicom_profiles.sources.geometry import SHEAR_TOLERANCE_DEGREES
from pipelines.card import InputCard, ModelCard, Scope

HEADING = """\
# Model cards

What each model is for, what it takes, what it was trained on and how well it did. Made by
`vscanner models show --markdown` from the `card.yaml` beside the weights; a test holds them equal.

"""


def cards_page(cards: Iterable[ModelCard]) -> str:
    """All cards as one page."""
    return HEADING + "\n".join(card_page(card) for card in cards)


def card_page(card: ModelCard) -> str:
    """The whole card; every sentence and figure is the card's own."""
    lines = [
        f"## {card.title} (`{card.name}` {card.version})",
        "",
        card.summary,
        "",
        f"**Use.** {card.intended_use}",
        "",
        f"**Out.** {card.output}, in {card.output_unit}.",
        "",
        *_input_sets(card),
        *(line for key, value in card.inputs.items() for line in _input(key, value)),
        *_parameters(card),
        *_measurements(card),
        *_training(card),
        *_evaluation(card),
        "### Limits",
        "",
        *(f"- {limitation}" for limitation in card.limitations),
        "",
        f"Licence of the weights: {card.licence}. SHA-256 of `{card.weights.file}`: "
        f"`{card.weights.sha256}`.",
    ]
    return "\n".join(lines) + "\n"


def _input_sets(card: ModelCard) -> Iterator[str]:
    if len(card.inputs) > 1:
        sets = ", ".join(f"`{' + '.join(keys)}`" for keys in card.accepted_sets)
        yield from (f"**In.** One of these sets, the first that is there: {sets}.", "")


def _input(key: str, card: InputCard) -> Iterator[str]:
    yield from (f"### Input `{key}`", "", f"{card.description} ({card.unit}).", "")
    yield from ("| attribute | what is accepted |", "|---|---|")
    for attribute, accepted in _accepted(card.scope):
        yield f"| {attribute} | {accepted} |"
    yield ""


def _accepted(scope: Scope) -> Iterator[tuple[str, str]]:
    """Attribute and what is accepted, of everything that the scope names."""
    yield "Modality", scope.modality
    yield "objects", ", ".join(UID(uid).name for uid in scope.sop_classes)
    for attribute, wanted, unit in (
        ("slices", scope.slices, ""),
        ("rows, columns", scope.rows_columns, ""),
        ("pixel spacing", scope.pixel_spacing_mm, " mm"),
        ("pixel spacing at the detector", scope.imager_pixel_spacing_mm, " mm"),
        ("distance of slices", scope.slice_spacing_mm, " mm"),
        ("slice thickness", scope.slice_thickness_mm, " mm"),
        ("length of the stack", scope.extent_mm, " mm"),
        ("tube voltage", scope.kvp, " kV"),
        ("magnetic field", scope.magnetic_field_t, " T"),
    ):
        if wanted is not None:
            yield attribute, f"{wanted}{unit}"
    if scope.largest_tilt_degrees is not None:
        yield "oblique slices", f"up to {scope.largest_tilt_degrees:g} degrees off the axial plane"
        yield "gantry tilt", f"none (up to {SHEAR_TOLERANCE_DEGREES:g} degrees)"
    if scope.refused_body_parts:
        yield "body part", f"any but {', '.join(scope.refused_body_parts)}"
    if scope.image_types_refused:
        yield "Image Type", f"any without {', '.join(scope.image_types_refused)}"
    if scope.refused_kernels:
        kernels = scope.refused_kernels.replace("|", "\\|")
        yield "kernel", f"any that does not match `{kernels}`"
    yield "lossy compression", "accepted" if scope.lossy_allowed else "refused"
    if scope.contrast:
        yield "contrast medium", scope.contrast


def _parameters(card: ModelCard) -> Iterator[str]:
    yield from ("### Parameters", "", "| name | default | range | meaning |", "|---|---|---|---|")
    for name, parameter in card.parameters.items():
        yield f"| `{name}` | {parameter.default:g} | {parameter.range} | {parameter.description} |"
    yield ""


def _measurements(card: ModelCard) -> Iterator[str]:
    if card.measurements:
        yield from ("### Quality record", "", "| measured on each series | meaning |", "|---|---|")
        yield from (f"| `{name}` | {meaning} |" for name, meaning in card.measurements.items())
        yield ""


def _training(card: ModelCard) -> Iterator[str]:
    training = card.training
    simulated = "yes" if training.trained_on_simulation else "no"
    if training.networks_of_real_pairs:
        simulated += f", but for {', '.join(training.networks_of_real_pairs)}"
    yield from ("### Training", "", f"Trained on simulation: {simulated}. {training.simulation}")
    yield from ("", f"Trainer: `{training.trainer}`.", "")
    yield from ("| data | used for | licence | source |", "|---|---|---|---|")
    for data in training.trained_on:
        yield f"| {data.name} | {data.used_for} | {data.licence} | {data.citation} |"
    yield ""


def _evaluation(card: ModelCard) -> Iterator[str]:
    if not card.evaluation:
        return
    yield from (
        "### Measured",
        "",
        "| data | measure | compared with | its figure | ours | unit |",
        "|---|---|---|---|---|---|",
    )
    for figure in card.evaluation:
        numbers = f"{figure.compared_with} | {figure.input:g} | {figure.output:g}"
        yield f"| {figure.data} | {figure.measure} | {numbers} | {figure.unit} |"
    yield ""
