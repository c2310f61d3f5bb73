from __future__ import annotations

import json
from pathlib import Path

import pytest

from node.__main__ import main
from tests.synthetic import write_ct_series

CONFIG = """\
routes:
  - name: low-dose chest
    pipeline: ldct_denoise
    when: {Modality: CT, SeriesDescription: {matches: "(?i)low.?dose"}}
  - name: everything of MR
    pipeline: ldct_denoise
    when: {Modality: MR}
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    write_ct_series(tmp_path / "study" / "a", slices=12)
    write_ct_series(tmp_path / "study" / "b", slices=12, series_description="Thorax [sharp] 1.0")
    (tmp_path / "study" / "notes.txt").write_text("not DICOM")
    (tmp_path / "node.yaml").write_text(CONFIG)
    return tmp_path / "study"


def test_every_rule_and_condition_is_shown_with_wanted_and_found(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = str(study.parent / "node.yaml")
    assert main(["explain", str(study), "--config", config]) == 0
    output = capsys.readouterr().out
    assert "✓ SeriesDescription: wanted matches (?i)low.?dose, found LOW DOSE CHEST 3.0" in output
    assert "✗ SeriesDescription: wanted matches (?i)low.?dose, found Thorax [sharp] 1.0" in output
    assert output.count("✗ Modality: wanted MR, found CT (12 of 12)") == 2
    assert "✓ gate of ldct_denoise" in output
    assert "recognised as low_dose_ct" in output
    assert "1 file(s) are not DICOM" in output


def test_a_rule_about_the_sender_is_tried_for_the_sender_named(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = study.parent / "sender.yaml"
    config.write_text(
        "routes: [{name: chest, pipeline: ldct_denoise, when: {source_ae: CT_SCANNER}}]"
    )
    command = ["explain", str(study / "a"), "--config", str(config)]
    assert main(command) == 0
    assert "✗ source_ae: wanted CT_SCANNER, found absent (1 of 1)" in capsys.readouterr().out
    assert main([*command, "--source-ae", "CT_SCANNER"]) == 0
    output = capsys.readouterr().out
    assert "✓ source_ae: wanted CT_SCANNER, found CT_SCANNER (1 of 1)" in output
    assert "✓ gate of ldct_denoise" in output


def test_a_description_does_nothing_to_a_terminal(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = "low dose \x1b[2J\x1b]0;x\x07"
    write_ct_series(study / "c", slices=12, series_description=evil)
    assert main(["explain", str(study), "--config", str(study.parent / "node.yaml")]) == 0
    output = capsys.readouterr().out
    assert "low dose" in output
    assert not {"\x1b", "\x07"} & set(output)


def test_json_for_machines(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(study), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["ignored"] == 1
    outcomes = {series["stacks"][0]["outcome"] for series in answer["series"]}
    assert outcomes == {"taken"}  # CTDIvol and exposure speak for the second one
    assert answer["series"][0]["evidence"]["kind"] == "folder"


def test_nothing_is_written(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(study.parent.rglob("*"))
    main(["explain", str(study)])
    capsys.readouterr()
    assert sorted(study.parent.rglob("*")) == before


def test_an_empty_folder_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(tmp_path)]) == 1
    assert "holds no readable DICOM instance" in capsys.readouterr().err
