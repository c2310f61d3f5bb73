from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from dicom_profiles.equipment import SOFTWARE_VERSION
from node.__main__ import COMMANDS, build_parser, main

ROOT = Path(__file__).parents[2]


def vscanner(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a person would."""
    return subprocess.run(
        [sys.executable, "-m", "node", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=ROOT,
    )


def test_help_teaches_and_loads_no_torch() -> None:
    code = (
        "import sys; from node.__main__ import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "assert not {'torch', 'sqlalchemy', 'pynetdicom', 'highdicom'} & set(sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert "vscanner process ~/study ~/out" in result.stdout
    for name, purpose in COMMANDS:
        assert name in result.stdout
        assert purpose.split(",")[0] in result.stdout


@pytest.mark.parametrize("name", [name for name, _ in COMMANDS])
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        build_parser(name).parse_args([name, "--help"])
    assert ended.value.code == 0
    assert f"vscanner {name}" in capsys.readouterr().out
    assert callable(import_module(f"node.commands.{name}").run)


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["proces"], 2, "There is no command 'proces'; did you mean process?"),
        (
            ["process", "x"],
            2,
            "arguments are required: OUT_DIR; see vscanner process --help",
        ),
        (["explain", "/nowhere"], 1, "A folder of DICOM files is wanted, /nowhere does not exist."),
        (["conformance", "--config", "/no.yaml"], 1, "The configuration /no.yaml cannot be read"),
        (["explain", ".", "--pipeline", "ldct"], 1, "There is no pipeline 'ldct'"),
        (["train"], 2, "vscanner train: the following arguments are required: NAME;"),
        (["evaluate"], 2, "vscanner evaluate: the following arguments are required: NAME;"),
        (["models", "--markdown"], 1, "vscanner models show --markdown"),
        (["jobs", "--state", "BAD"], 2, "(choose from 'QUEUED', 'RUNNING',"),
    ],
)
def test_an_error_is_one_sentence_and_an_exit_code(
    arguments: list[str], code: int, sentence: str
) -> None:
    result = vscanner(*arguments)
    assert (result.returncode, result.stdout) == (code, "")
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_the_version_is_that_of_the_objects(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.strip() == SOFTWARE_VERSION


def test_no_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "commands:" in capsys.readouterr().out


def test_the_traceback_is_there_when_asked_for() -> None:
    result = vscanner("--traceback", "explain", "/nowhere")
    assert "CommandError" in result.stderr


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = f"{sys.executable} -m node conformance | head -1"
    result = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, timeout=120, check=False, cwd=ROOT
    )
    assert result.stdout.startswith("# DICOM conformance")
    assert "Traceback" not in result.stderr


def test_what_a_command_makes_is_not_for_others_to_read(tmp_path: Path) -> None:
    """The database holds attributes of patients, the folders beside it their images."""
    config = tmp_path / "node.yaml"
    config.write_text(f"node: {{data_dir: {tmp_path / 'data'}}}")
    before = os.umask(0o022)
    try:
        assert main(["receive", "--rebuild-index", "--config", str(config)]) == 0
    finally:
        os.umask(before)
    made = [tmp_path / "data", *(tmp_path / "data").rglob("*")]
    assert len(made) > 1
    assert [path.name for path in made if path.stat().st_mode & 0o007] == []
