"""A model card as a page of Markdown, for `vscanner models show` and `docs/model_cards.md`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pipelines.card import InputCard, ModelCard

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
        *(line for key, value in card.inputs.items() for line in _input(key, value)),
        *_parameters(card),
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


def _input(key: str, card: InputCard) -> Iterator[str]:
    scope = card.scope
    yield from (f"### Input `{key}`", "", f"{card.description} ({card.unit}).", "")
    yield from ("| attribute | what is accepted |", "|---|---|")
    yield f"| Modality | {scope.modality}, original axial images |"
    yield f"| slices | {scope.slices} |"
    yield f"| rows, columns | {scope.rows_columns} |"
    yield f"| pixel spacing | {scope.pixel_spacing_mm} mm |"
    yield f"| distance of slices | {scope.slice_spacing_mm} mm |"
    yield f"| slice thickness | {scope.slice_thickness_mm} mm |"
    yield f"| tube voltage | {scope.kvp} kV |"
    yield f"| tilt | up to {scope.largest_tilt_degrees:g} degrees |"
    yield f"| body part | any but {', '.join(scope.refused_body_parts)} |"
    kernels = scope.refused_kernels.replace("|", "\\|")
    yield f"| kernel | any that does not match `{kernels}` |"
    yield f"| lossy compression | {'accepted' if scope.lossy_allowed else 'refused'} |"
    yield f"| contrast medium | {scope.contrast} |"
    yield ""


def _parameters(card: ModelCard) -> Iterator[str]:
    yield from ("### Parameters", "", "| name | default | range | meaning |", "|---|---|---|---|")
    for name, parameter in card.parameters.items():
        yield f"| `{name}` | {parameter.default:g} | {parameter.range} | {parameter.description} |"
    yield ""


def _training(card: ModelCard) -> Iterator[str]:
    training = card.training
    simulated = "yes" if training.trained_on_simulation else "no"
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
        "| data | measure | before | after | unit |",
        "|---|---|---|---|---|",
    )
    for figure in card.evaluation:
        numbers = f"{figure.input:g} | {figure.output:g}"
        yield f"| {figure.data} | {figure.measure} | {numbers} | {figure.unit} |"
    yield ""
