from __future__ import annotations

from pipelines import catalog
from pipelines.card import Figure
from pipelines.card_page import card_page, cards_page


def test_everything_that_a_reader_must_know_is_on_the_page() -> None:
    card = catalog.card("ldct_denoise")
    page = card_page(card)
    wanted = [card.summary, card.intended_use, card.weights.sha256, *card.limitations]
    wanted += [data.citation for data in card.training.trained_on]
    wanted += [f"`{name}`" for name in card.parameters]
    wanted += [f"| `{name}` | {meaning} |" for name, meaning in card.measurements.items()]
    assert [text for text in wanted if text not in page] == []


def test_figures_stand_in_a_table() -> None:
    figure = Figure(measure="RMSE", data="chest", input=40.5, output=12, unit="HU")
    card = catalog.card("ldct_denoise").model_copy(update={"evaluation": (figure,)})
    assert "| chest | RMSE | input | 40.5 | 12 | HU |" in card_page(card)
    assert "### Measured" not in card_page(card.model_copy(update={"evaluation": ()}))


def test_a_page_holds_every_card() -> None:
    card = catalog.card("ldct_denoise")
    assert cards_page([card, card]).count(f"## {card.title}") == 2
