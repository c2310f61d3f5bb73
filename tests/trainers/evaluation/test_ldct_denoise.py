from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.trainers.phantom_series import phantom_series, write_nifti
from trainers.evaluation.ldct_denoise import SHIPPED, main
from trainers.evaluation.training_record import sha256


def test_the_command_writes_json_and_markdown_and_keeps_the_training_record(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scan = write_nifti(phantom_series(4), tmp_path)
    out = tmp_path / "results" / "all"
    out.parent.mkdir()
    out.with_suffix(".json").write_text('{"training": {"steps": 7}, "table": []}')
    given = ["--series", f"abdomen:disk={scan}", "--doses", "0.25", "--slices", "1"]
    assert main([*given, "--out", str(out)]) == 0
    found = json.loads(out.with_suffix(".json").read_text())
    assert found["training"] == {"steps": 7}
    assert found["weights_sha256"] == sha256(SHIPPED)
    assert [row["method"] for row in found["table"]][-2] == "ours"
    assert found["table"][0]["measurements"][0]["name"] == "PSNR"
    assert "| disk | abdomen | 25% | ours |" in out.with_suffix(".md").read_text()
    assert "| disk |" in capsys.readouterr().out


def test_a_window_that_is_unknown_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--series", "knee:/data", "--out", "x"])
    assert "abdomen:PATH or chest:PATH" in capsys.readouterr().err


def test_help_is_that_of_the_one_evaluation_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "vscanner evaluate ldct_denoise" in (said := capsys.readouterr().out)
    assert "--data" in said
