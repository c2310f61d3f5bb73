from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from node.__main__ import main
from pipelines import catalog

PAGE = Path(__file__).parents[3] / "docs" / "model_cards.md"


def test_the_list_names_every_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    assert "ldct_denoise" in capsys.readouterr().out
    assert main(["models", "list", "--json"]) == 0
    cards = json.loads(capsys.readouterr().out)
    assert [card["name"] for card in cards] == list(catalog.names())


def test_a_card_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "show", "ldct_denoise"]) == 0
    shown = capsys.readouterr().out
    assert "Low-dose CT denoising" in shown
    assert "Trained on simulation: yes" in shown


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["models", "show"], "Name the model to show"),
        (["models", "show", "ldct"], "There is no pipeline 'ldct'"),
        (["models", "verify", "nothing"], "There is no pipeline 'nothing'"),
    ],
)
def test_wrong_use_is_one_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) != 0
    said = capsys.readouterr().err.strip()
    assert sentence in said
    assert len(said.splitlines()) == 1


def test_changed_weights_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "ldct_denoise"
    shutil.copytree(catalog.folder("ldct_denoise"), copy)
    (copy / "weights.safetensors").write_bytes(b"something else")
    monkeypatch.setattr(catalog, "PIPELINES", tmp_path)
    assert main(["models", "verify"]) == 1
    assert "should have SHA-256" in capsys.readouterr().out
    assert main(["models", "verify", "--json"]) == 1
    (line,) = json.loads(capsys.readouterr().out)
    assert line["ok"] is False


def test_the_page_of_model_cards_is_true(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "show", "--markdown"]) == 0
    assert capsys.readouterr().out == PAGE.read_text(encoding="utf-8"), (
        "make it again: vscanner models show --markdown > docs/model_cards.md"
    )
