from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from pipelines import catalog
from pipelines.card import ParameterCard, Range, read_card
from pipelines.errors import CardError, ParameterError

CARD = catalog.folder("ldct_denoise") / "card.yaml"


def changed(tmp_path: Path, **changes: object) -> Path:
    path = tmp_path / "card.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(CARD.read_text()), **changes}))
    return path


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"colour": "red"}, "colour"),
        ({"version": "1.0"}, "version"),
        ({"weights": {"file": "w", "sha256": "abc"}}, "weights.sha256"),
        ({"weights": {"file": "w"}}, "weights.sha256"),
        ({"limitations": 3}, "limitations"),
        ({"parameters": {"x": {"description": "", "default": 2, "range": {"minimum": 0,
                                                                          "maximum": 1}}}},
         "parameters.x"),
    ],
)  # fmt: skip
def test_a_card_that_cannot_be_true_is_refused_by_its_key(
    changes: dict[str, object], key: str, tmp_path: Path
) -> None:
    with pytest.raises(CardError, match=key):
        read_card(changed(tmp_path, **changes))


def test_what_is_no_card_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CardError, match="cannot be read"):
        read_card(tmp_path / "absent.yaml")
    (tmp_path / "card.yaml").write_text("a: [")
    with pytest.raises(CardError, match="not YAML"):
        read_card(tmp_path / "card.yaml")


def test_a_range_holds_its_ends() -> None:
    assert Range(minimum=1, maximum=2).holds(1)
    assert Range(minimum=1, maximum=2).holds(2)
    assert not Range(minimum=1, maximum=2).holds(2.01)
    assert str(Range(minimum=0.3, maximum=1.5)) == "0.3 to 1.5"


def test_parameters_are_completed_with_their_defaults() -> None:
    card = read_card(CARD)
    assert card.parameters_from(None) == {"strength": 1.0, "dose_share": 0.0}
    assert card.parameters_from({"strength": 0})["strength"] == 0.0


@pytest.mark.parametrize("value", [1.01, -0.1, "1", True, None, float("nan")])
def test_a_value_out_of_range_says_what_was_wanted(value: object) -> None:
    with pytest.raises(ParameterError, match=r"'strength' takes a number from 0 to 1, got"):
        read_card(CARD).parameters_from({"strength": value})


def test_an_unknown_parameter_names_the_known_ones() -> None:
    with pytest.raises(ParameterError, match=r"no parameter 'stregnth'; it has: strength"):
        read_card(CARD).parameters_from({"stregnth": 1})


def test_a_parameter_is_checked_by_its_own_card() -> None:
    card = ParameterCard(description="", default=3, range=Range(minimum=1, maximum=9))
    assert card.checked("size", 9) == 9.0
