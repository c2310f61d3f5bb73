from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from node.__main__ import main
from node.commands.evaluate import PROTOCOLS


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package `trainers` of its own in the current folder, first on the path of the child."""
    package = tmp_path / "trainers" / "evaluation"
    package.mkdir(parents=True)
    for folder in (package.parent, package):
        (folder / "__init__.py").write_text("")
    script = package / "ten_layers.py"
    script.write_text("import sys\nprint(sys.argv[1:])\nsys.exit(5)\n")
    monkeypatch.chdir(tmp_path)
    return script


def test_a_protocol_gets_its_arguments_and_gives_its_exit_code(
    study: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "--protocol", "ten_layers", "--repeats", "30", "--help"]) == 5
    assert capfd.readouterr().out.strip() == "['--repeats', '30', '--help']"


def test_an_unknown_name_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--protocol", "ldct_denoise"]) == 1
    assert "protocols: ten_layers, paired_unpaired" in capsys.readouterr().err
    assert main(["evaluate", "ten_layers"]) == 1
    assert "nothing called 'ten_layers' to evaluate; pipelines: " in capsys.readouterr().err


def test_every_protocol_is_there() -> None:
    assert all(find_spec(module) for module in PROTOCOLS.values())
