"""The whole of a reading by the command: made, judged, exported, opened, analysed."""

from __future__ import annotations

import json
import re
import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest

from node.__main__ import main
from node.reading.answers import Answer
from node.reading.folder import ReadingFolder
from tests.node.reading.patients import patients


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "node.yaml"
    file.write_text(f"node:\n  data_dir: {tmp_path / 'data'}\n")
    return file


def test_from_folders_to_a_report(
    tmp_path: Path, config: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    real, synthetic = patients(tmp_path / "dicom")
    key, options = str(tmp_path / "lung.key"), ["--config", str(config)]
    folders = ["--real", str(real), "--synthetic", str(synthetic), "--key", key]
    assert main(["reading", "create", "lung", *folders, "--readers", "2", *options]) == 0
    said = capfd.readouterr().out
    assert "4 cases (2 real, 2 synthetic), 6 slices of 64 x 64 each" in said
    assert len(re.findall(r"http://127\.0\.0\.1:8080/readings/lung/[\w-]{22}$", said, re.M)) == 2

    reading = ReadingFolder(tmp_path / "data" / "readings" / "lung")
    assert reading.study.key_sha256 in said
    for alias in ("R1", "R2"):
        for case in reading.study.cases:
            reading.give(alias, Answer(case=case, judgement="real", given=datetime.now(UTC)))

    assert main(["reading", "export", "lung", *options]) == 0
    exported = json.loads(capfd.readouterr().out)
    assert len(exported["answers"]) == 8
    assert exported["opened"] is None

    out = tmp_path / "report"
    analyse = ["reading", "analyse", "lung", "--out", str(out), *options]
    assert main([*analyse, "--key", str(config)]) == 1
    assert "was changed" in capfd.readouterr().err
    assert main([*analyse, "--key", key]) == 0
    assert "lung: 8 answers, accuracy 50.0 %" in capfd.readouterr().out
    figures = json.loads((out / "reading.json").read_text())
    assert figures["pooled"]["said"]["synthetic"] == {"real": 4, "synthetic": 0, "cannot_tell": 0}
    assert "50.0 %" in (out / "reading.html").read_text()
    again = [*analyse, "--key", key, "--against", str(out / "answers.json")]
    assert main(again) == 0


def test_links_can_be_opened_where_the_page_listens_on_all_addresses(
    tmp_path: Path, config: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    config.write_text(config.read_text() + "web: {host: 0.0.0.0, port: 8099}\n")
    real, synthetic = patients(tmp_path / "dicom")
    folders = ["--real", str(real), "--synthetic", str(synthetic), "--key", str(tmp_path / "k")]
    assert main(["reading", "create", "lung", *folders, "--config", str(config)]) == 0
    said = capfd.readouterr().out
    name = socket.gethostname().partition(".")[0]
    assert len(re.findall(rf"http://{name}:8099/readings/lung/[\w-]{{22}}$", said, re.M)) == 1
    assert "0.0.0.0" not in said
    assert "put that into the links" in said


def test_an_unfinished_reading_is_not_opened_by_mistake(
    tmp_path: Path, config: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    real, synthetic = patients(tmp_path / "dicom", 2, slices=3)
    key, options = str(tmp_path / "lung.key"), ["--config", str(config)]
    folders = ["--real", str(real), "--synthetic", str(synthetic), "--key", key]
    assert main(["reading", "create", "lung", *folders, *options]) == 0
    analyse = ["reading", "analyse", "lung", "--key", key, "--out", str(tmp_path / "o"), *options]
    assert main(analyse) == 1
    assert "R1: 2 left" in capfd.readouterr().err
    assert not (tmp_path / "o").exists()
    out = tmp_path / "answers.json"
    assert main(["reading", "export", "lung", "--out", str(out), *options]) == 0
    assert json.loads(out.read_text())["answers"] == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["export", "nothing"], "no such reading"),
        (["create", "x", "--real", "no", "--synthetic", "no", "--key", "k"], "no folder no"),
        (
            ["create", "x", "--real", ".", "--synthetic", ".", "--key", "k", "--readers", "0"],
            "1 to 99 readers",
        ),
        (
            ["create", "x", "--real", ".", "--synthetic", ".", "--key", "DATA/k"],
            "not lie on the node",
        ),
    ],
)
def test_errors_are_one_sentence(
    config: Path, arguments: list[str], sentence: str, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = [word.replace("DATA", str(config.parent / "data")) for word in arguments]
    assert main(["reading", *arguments, "--config", str(config)]) == 1
    error = capfd.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1
