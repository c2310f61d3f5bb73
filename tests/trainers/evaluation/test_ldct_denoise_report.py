from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipelines.card import read_card
from tests.trainers.phantom_series import phantom_series
from trainers.evaluation.denoisers import unchanged
from trainers.evaluation.ldct_denoise import row_to_json
from trainers.evaluation.ldct_denoise_figures import noise_power_curves, panel
from trainers.evaluation.ldct_denoise_report import (
    BEGIN,
    CARD,
    END,
    ROOT,
    ReportError,
    update_card,
    update_report,
)
from trainers.evaluation.low_dose_table import table


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    rows = table(replace(phantom_series(), name="disk"), "abdomen", [0.5], 1, unchanged)
    point = {"noise_hu": 70.0, "mean_frequency": 0.2, "detectability": 1.2, "spread": 0.3}
    curve = {"bias_hu": 0.5, "frequency": [0.1, 0.2, 0.3], "power": [1.0, 3.0, 2.0]}
    methods = ("input, 10 % dose", "ours")
    return {
        "weights_sha256": "ab" * 32,
        "seed": 1,
        "table": [row_to_json(row) for row in rows],
        "phantom": [{"method": method} | point | curve for method in methods],
        "simulation": [],
    }


def test_the_report_takes_the_figures_and_keeps_its_words(
    results: dict[str, Any], tmp_path: Path
) -> None:
    page = tmp_path / "report.md"
    page.write_text(f"before\n{BEGIN}\noutdated\n{END}\nafter\n")
    for _ in range(2):
        update_report(page, results)
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "outdated" not in text
    assert text.count("| disk | abdomen | 50% | ours |") == 1


def test_figures_of_other_weights_than_the_record_are_refused(
    results: dict[str, Any], tmp_path: Path
) -> None:
    page = tmp_path / "report.md"
    page.write_text(f"{BEGIN}{END}")
    other = results | {"training": {"weights_sha256": "cd" * 32}}
    with pytest.raises(ReportError, match="other weights"):
        update_report(page, other)


def test_the_card_takes_the_figures(results: dict[str, Any], tmp_path: Path) -> None:
    card = tmp_path / "card.yaml"
    shutil.copy(ROOT / CARD, card)
    before = read_card(card)
    for _ in range(2):
        update_card(card, results)
    after = read_card(card)
    assert after.model_copy(update={"evaluation": before.evaluation}) == before
    assert [f.measure for f in after.evaluation][:3] == [
        "PSNR, abdomen window",
        "SSIM, abdomen window",
        "RMSE in the body",
    ]
    assert after.evaluation[0].input == after.evaluation[0].output, "'ours' does nothing here"


def test_pictures_are_written(results: dict[str, Any], tmp_path: Path) -> None:
    panel(phantom_series(), unchanged, 0.25, tmp_path / "panel.png")
    noise_power_curves(results["phantom"], tmp_path / "curves.png")
    for name in ("panel.png", "curves.png"):
        assert np.asarray(Image.open(tmp_path / name)).std() > 1
