from __future__ import annotations

import pytest

from pipelines.lights import NO_NUMBERS, light_of, told, unfamiliar, verdict_of


@pytest.mark.parametrize(
    ("value", "light"),
    [(0.0, "GREEN"), (1.0, "GREEN"), (1.01, "AMBER"), (2.0, "AMBER"), (2.01, "RED")],
)
def test_a_figure_at_its_limit_is_still_within_it(value: float, light: str) -> None:
    assert light_of(value, 1.0, 2.0) == light


def test_an_input_is_said_to_be_unusual_or_unlike_what_the_model_knows() -> None:
    assert unfamiliar(1.0, 1.0, 2.0) == []
    ((light, sentence),) = unfamiliar(1.52, 1.0, 2.0)
    assert light == "AMBER"
    assert sentence == (
        "The images are unusual beside those that the model knows (distance 1.5; usual is up to "
        "1.0)."
    )
    ((light, sentence),) = unfamiliar(2.5, 1.0, 2.0, "The mammogram is")
    assert light == "RED"
    assert sentence.startswith("The mammogram is unlike those that the model knows")


def test_the_worst_light_counts_and_its_sentences_come_first() -> None:
    assert verdict_of([]) == ("GREEN", ())
    assert verdict_of([("AMBER", "a."), ("AMBER", "b.")]) == ("AMBER", ("a.", "b."))
    found = [("AMBER", "a."), ("RED", "r."), ("AMBER", "b."), NO_NUMBERS]
    assert verdict_of(found) == ("RED", ("r.", NO_NUMBERS[1], "a.", "b."))


def test_figures_are_told_to_four_decimals_and_only_where_they_are_numbers() -> None:
    figures = {"kept": 1.23456, "none": float("nan"), "endless": float("inf")}
    assert told(figures) == {"kept": 1.2346}
