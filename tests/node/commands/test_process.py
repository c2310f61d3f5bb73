from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pydicom
import pytest

from node.__main__ import main
from node.commands.process import exit_code
from node.offline import Answer
from pipelines import catalog
from pipelines.errors import WeightsError
from tests.synthetic import write_ct_series

ROOT = Path(__file__).parents[3]


def answer(state: str) -> Answer:
    return Answer("1.2", "axial CT", 12, state, "route", "why")


@pytest.mark.parametrize(
    ("states", "named", "code"),
    [
        (["WRITTEN", "SET_ASIDE"], True, 0),
        (["REFUSED"], False, 0),  # a refusal is an answer
        (["REFUSED"], True, 1),  # but not what was asked for
        (["WRITTEN", "REFUSED"], True, 0),
        (["HELD"], True, 0),
        (["UNROUTED"], False, 0),
        (["WRITTEN", "FAILED"], False, 1),
    ],
)
def test_exit_codes(states: list[str], named: bool, code: int) -> None:
    assert exit_code([answer(state) for state in states], named=named) == code


def test_a_refusal_is_shown_in_the_table_and_as_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_ct_series(tmp_path / "in", slices=12, BodyPartExamined="HEAD")
    arguments = ["process", str(tmp_path / "in"), str(tmp_path / "out")]
    assert main(arguments) == 0
    table = capsys.readouterr().out
    assert "REFUSED" in table
    assert "HEAD" in table
    assert main([*arguments, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["answers"][0]["state"] == "REFUSED"
    assert main([*arguments, "--pipeline", "ldct_denoise"]) == 1


def test_the_output_may_not_be_the_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_ct_series(tmp_path / "in", slices=3)
    assert main(["process", str(tmp_path / "in"), str(tmp_path / "in")]) == 1
    assert "another folder than IN_DIR" in capsys.readouterr().err


def test_the_whole_way_with_the_shipped_weights(tmp_path: Path) -> None:
    try:
        catalog.verify("ldct_denoise")
    except WeightsError as error:
        pytest.skip(f"no weights are shipped here yet: {error}")
    sources = write_ct_series(tmp_path / "in", slices=8, rows=96, columns=96)
    command = [sys.executable, "-m", "node", "process", str(tmp_path / "in"), str(tmp_path / "out")]
    result = subprocess.run(
        [*command, "--json", "--ungated", "--device", "cpu"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=ROOT,
    )
    assert result.returncode == 0, result.stderr
    (written,) = json.loads(result.stdout)["answers"]
    assert (written["state"], written["qc"], len(written["files"])) == ("WRITTEN", "UNGATED", 10)
    assert "gate is skipped" in result.stderr
    first = pydicom.dcmread(written["files"][0])
    assert first.StudyInstanceUID == pydicom.dcmread(sources[0]).StudyInstanceUID
